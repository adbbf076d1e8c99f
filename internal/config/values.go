package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"bongsu/estate"
)

// Role says whether a node votes.
type Role string

// The roles of nodes.
const (
	Member   Role = "member"
	Observer Role = "observer"
)

func (Role) choices() []string { return []string{string(Member), string(Observer)} }

// Choice says whether something happens by itself or waits for a person.
type Choice string

// The choices.
const (
	Auto    Choice = "auto"
	Confirm Choice = "confirm"
)

func (Choice) choices() []string { return []string{string(Auto), string(Confirm)} }

// Level is the least important level that is logged.
type Level string

func (Level) choices() []string { return []string{"debug", "info", "warn", "error"} }

// Slog is the level in the words of log/slog.
func (l Level) Slog() slog.Level {
	var level slog.Level
	if level.UnmarshalText([]byte(l)) != nil {
		return slog.LevelInfo
	}
	return level
}

// Bytes is a size such as 2GiB.
type Bytes int64

// units, largest first.
func byteUnits() []struct {
	name string
	size int64
} {
	return []struct {
		name string
		size int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
}

// String gives the size in the largest unit that leaves no fraction.
func (b Bytes) String() string {
	for _, u := range byteUnits() {
		if int64(b)%u.size == 0 && (b != 0 || u.size == 1) {
			return strconv.FormatInt(int64(b)/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B" // unreachable: every size is a multiple of 1
}

func parseBytes(s string) (Bytes, error) {
	for _, u := range byteUnits() {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.size {
			break
		}
		return Bytes(n * u.size), nil
	}
	return 0, fmt.Errorf("%q is not a size: write a number with B, KiB, MiB, GiB or TiB, such as 2GiB", s)
}

// Secret is text that prints as ***, whatever prints it. It is behind a pointer because
// package fmt asks no method of what stands in an unexported field.
type Secret struct{ text *string }

// NewSecret wraps a secret.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text. Hand it to what needs it, and to nothing that logs.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

const hidden = "***"

// String implements [fmt.Stringer].
func (Secret) String() string { return hidden }

// GoString implements [fmt.GoStringer].
func (Secret) GoString() string { return hidden }

// Format implements [fmt.Formatter], so that no verb gets at the text.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText implements [encoding.TextMarshaler], for JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// Secrets are the secrets of a node by name.
type Secrets map[string]SecretSource

func (s Secrets) names() []string { return slices.Sorted(maps.Keys(s)) }

// Lookup returns a secret that was read when the file was loaded.
func (s Secrets) Lookup(name string) (Secret, bool) {
	src, ok := s[name]
	return src.value, ok
}

// SecretSource says where a secret is.
type SecretSource struct {
	File string `yaml:"file" doc:"file whose content it is, less a last line break"`
	Env  string `yaml:"env" doc:"environment variable whose value it is"`

	value Secret
}

func (s *SecretSource) read() error {
	if s.Env != "" {
		text, ok := os.LookupEnv(s.Env)
		if !ok {
			return fmt.Errorf("names the environment variable %s, which is not set", s.Env)
		}
		s.value = NewSecret(text)
		return nil
	}
	info, err := os.Stat(s.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("names %s, which does not exist", s.File)
	case err != nil:
		return fmt.Errorf("cannot be read: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("names %s, which others can read (%v): chmod 600 it", s.File, info.Mode().Perm())
	}
	text, err := os.ReadFile(s.File)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	s.value = NewSecret(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"))
	if s.value.Reveal() == "" {
		return fmt.Errorf("names %s, which is empty", s.File)
	}
	return nil
}

// didYouMean is "; did you mean "x"?" for the nearest of the names, or all of them.
func didYouMean(got string, names []string) string {
	near := estate.Nearest(got, names)
	if near == "" {
		return ": it can be " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("; did you mean %q?", near)
}
