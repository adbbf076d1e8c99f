package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// onceEach refuses JSON in which an object has two names that Go's decoder takes for
// one: it ignores case and keeps the last, while other readers, and people, see the
// first. What is checked has to be what is read.
func onceEach(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := once(d, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// deepest is how far JSON may nest.
const deepest = 200

func once(d *json.Decoder, depth int) error {
	if depth > deepest {
		return fmt.Errorf("it nests deeper than %d", deepest)
	}
	t, err := d.Token()
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]string{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			text, _ := name.(string) // the decoder gives nothing else here
			folded := strings.ToLower(text)
			if first, twice := seen[folded]; twice {
				return fmt.Errorf("an object has both %q and %q", first, text)
			}
			seen[folded] = text
		}
		if err := once(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
