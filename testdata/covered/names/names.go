// Package names completes the names of images.
package names

import "github.com/distribution/reference"

// Full returns an image's name with its registry and its tag.
func Full(image string) (string, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", err
	}
	return reference.TagNameOnly(named).String(), nil
}
