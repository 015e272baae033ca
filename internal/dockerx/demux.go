package dockerx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Frames of the engine's attach stream: one byte for the stream, three of
// padding, four for the payload's length, big endian.
const (
	frameHeader = 8
	frameStdout = 1
	frameStderr = 2
	frameSystem = 3 // an error text of the engine
)

// maxSystemError bounds what is kept of an engine's error text.
const maxSystemError = 4 << 10

// demultiplex copies the frames of r to stdout and stderr until r ends on a
// frame's border. An end anywhere else is io.ErrUnexpectedEOF. Memory is
// bounded whatever length a frame claims. The SDK's own demultiplexer loses a
// cut frame without an error and believes any length.
func demultiplex(stdout, stderr io.Writer, r io.Reader) error {
	header := make([]byte, frameHeader)
	buf := make([]byte, 32<<10)
	for {
		if _, err := io.ReadFull(r, header); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("output stream: %w", err)
		}
		size := int64(binary.BigEndian.Uint32(header[4:]))
		var err error
		switch header[0] {
		case frameStdout:
			err = copyFrame(stdout, r, size, buf)
		case frameStderr:
			err = copyFrame(stderr, r, size, buf)
		case frameSystem:
			text, _ := io.ReadAll(io.LimitReader(r, min(size, maxSystemError))) // best effort: an error is returned anyway
			err = fmt.Errorf("output stream: the engine reports %q", text)
		default:
			err = fmt.Errorf("output stream: frame of unknown type %d", header[0])
		}
		if err != nil {
			return err
		}
	}
}

func copyFrame(w io.Writer, r io.Reader, size int64, buf []byte) error {
	for size > 0 {
		n, err := r.Read(buf[:min(size, int64(len(buf)))])
		if _, werr := w.Write(buf[:n]); werr != nil {
			return werr
		}
		size -= int64(n)
		if err != nil && size > 0 {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("output stream: %w", err)
		}
	}
	return nil
}
