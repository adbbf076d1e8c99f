package port

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Most is how many ports one Reserve gives.
const Most = block - 1

// Blocks lie below the ports that kernels give to outgoing connections (from 32768 on Linux, 49152 elsewhere): such a
// one may be taken again before the server, or the server that is started again, listens there.
const (
	lowest = 10_000
	block  = 16
	blocks = 1_250
)

// Reserve returns the first of n ports in a row that nothing listens on, and that no other Reserve of this machine gives
// until they are released. What keeps the others away is a listener on the port before the first. n is 1 to [Most].
func Reserve(ctx context.Context, n int) (first int, release func(), err error) {
	if n < 1 || n > Most {
		return 0, nil, fmt.Errorf("%d ports in a row: at least 1 and at most %d can be reserved", n, Most)
	}
	var last error
	for range blocks {
		guard := lowest + block*rand.IntN(blocks)
		l, err := listen(ctx, guard)
		if err != nil {
			last = err
			continue
		}
		if last = free(ctx, guard+1, n); last == nil {
			return guard + 1, func() { _ = l.Close() }, nil
		}
		_ = l.Close()
	}
	return 0, nil, fmt.Errorf("no %d free ports in a row between %d and %d: %w", n, lowest, lowest+block*blocks, last)
}

// free says why one of n ports cannot be listened on.
func free(ctx context.Context, first, n int) (err error) {
	for port := first; port < first+n && err == nil; port++ {
		var l net.Listener
		if l, err = listen(ctx, port); err == nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
}
