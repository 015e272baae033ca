// Covered names images: a small module whose tests cover some of it.
package main

import (
	"fmt"
	"os"

	"example.com/covered/internal/sum"
	"example.com/covered/names"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(images []string) int {
	for _, image := range images {
		full, err := names.Full(image)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(full)
	}
	fmt.Println(sum.Lengths(images), "bytes")
	return 0
}
