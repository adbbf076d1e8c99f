//go:build !unix

package actuate

import "os/exec"

// group has no process groups to work with here: only the program itself is ended.
func group(*exec.Cmd) (release func()) { return func() {} }

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() } // it may have ended by itself
