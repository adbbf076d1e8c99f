package actuate

import (
	"os/exec"
	"runtime"
	"syscall"
)

// group gives a program a process group of its own, lets it be asked to end as a
// group, and makes it die with us: a node that is gone must not go on acting. The
// kernel ties that to the thread, so it is held until release.
func group(cmd *exec.Cmd) (release func()) {
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	return runtime.UnlockOSThread
}

// killGroup kills what is left of the group of a program.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // none left is fine
