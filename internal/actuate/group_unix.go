//go:build unix && !linux

package actuate

import (
	"os/exec"
	"syscall"
)

// group gives a program a process group of its own and lets it be asked to end as
// a group.
func group(cmd *exec.Cmd) (release func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	return func() {}
}

// killGroup kills what is left of the group of a program.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // none left is fine
