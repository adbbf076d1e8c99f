package node

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// GiveWay lets every other process of the machine that runs at the usual priority go
// before this one, for processor and disk: nice is from 1 to 19. Control beside it goes on
// while readers or reporters flood this process. Threads that start later inherit it.
func GiveWay(nice int) error {
	for {
		missed := 0
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("lower the priority: %w", err)
		}
		for _, t := range tasks {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				continue
			}
			// The kernel gives 20 less the niceness.
			if have, err := syscall.Getpriority(syscall.PRIO_PROCESS, id); err != nil || 20-have >= nice {
				continue // it has ended, or is done
			}
			missed++
			if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, nice); err != nil && err != syscall.ESRCH {
				return fmt.Errorf("lower the priority: %w", err)
			}
			// Where the disk's scheduler knows priorities; elsewhere it changes nothing.
			const process, bestEffort, last = 1, 2 << 13, 7
			_, _, _ = syscall.Syscall(syscall.SYS_IOPRIO_SET, process, uintptr(id), bestEffort|last)
		}
		if missed == 0 {
			return nil
		}
	}
}
