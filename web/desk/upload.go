package desk

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// upload is a file that came with a form.
func (c *call) upload() (name string, data []byte, err error) {
	f, head, err := c.r.FormFile("file")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return "", nil, fmt.Errorf("%w: no file was chosen", errInput)
	}
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", errInput, err)
	}
	data, err = io.ReadAll(f) // the form is bounded
	if err = errors.Join(err, f.Close()); err != nil {
		return "", nil, fmt.Errorf("%w: %w", errInput, err)
	}
	if len(data) == 0 {
		return "", nil, fmt.Errorf("%w: the file is empty", errInput)
	}
	return head.Filename, data, nil
}
