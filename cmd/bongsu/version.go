package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker (see the Makefile); empty means that someone
// built without it.
var version string

// build says what this program was built from. Its JSON is a contract.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // commit
	Time     string `json:"time,omitempty"`     // of the commit
	Modified bool   `json:"modified"`           // built from changed files
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func versionCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Say which version this is and what it was built from",
		Example: "  bongsu version --format json",
		Args:    exactly(),
	}
	f := formatFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		info, _ := debug.ReadBuildInfo()
		b := buildOf(version, info)
		if *f == formatJSON {
			return a.printJSON(b)
		}
		return b.print(a)
	}
	return cmd
}

// buildOf puts together what the linker and the go command noted; info may be nil.
func buildOf(version string, info *debug.BuildInfo) build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info != nil {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.time":
				b.Time = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
		if b.Version == "" {
			b.Version = info.Main.Version
		}
	}
	if b.Version == "" {
		b.Version = "unknown"
	}
	return b
}

func (b build) print(a *app) error {
	_, err := fmt.Fprintf(a.out, "bongsu %s\n", b.Version)
	if b.Revision != "" && err == nil {
		changed := ""
		if b.Modified {
			changed = ", with changes"
		}
		_, err = fmt.Fprintf(a.out, "commit %s of %s%s\n", b.Revision, b.Time, changed)
	}
	if err == nil {
		_, err = fmt.Fprintf(a.out, "%s %s\n", b.Go, b.Platform)
	}
	return err
}
