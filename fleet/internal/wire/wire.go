// Package wire has what clients and workers of a fleet say to each other, and how it is
// written: in CBOR (RFC 8949), since arguments, variables and names of files are bytes, which
// need not be UTF-8.
package wire

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

var (
	encoding = must(cbor.CoreDetEncOptions().EncMode())
	// A field that is not known is an error: it could be a limit, set by a newer client.
	decoding = must(cbor.DecOptions{
		UTF8:              cbor.UTF8DecodeInvalid,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:   4 + 2*maxDepth,
		MaxMapPairs:       1 << 20,
		MaxArrayElements:  1 << 20,
	}.DecMode())
)

func must[T any](mode T, err error) T {
	if err != nil {
		panic(err) // of options that are fixed
	}
	return mode
}

func unmarshal(what string, b []byte, v any) error {
	if err := decoding.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s cannot be read; client and worker must be of the same version: %w", what, err)
	}
	return nil
}
