package port_test

import (
	"fmt"
	"net"
	"testing"

	"bongsu/internal/port"
)

// What is reserved is free, and nobody else's until it is released, though nothing listens there yet.
func TestReservedPortsAreNobodyElses(t *testing.T) {
	t.Parallel()
	taken := map[int]bool{}
	for range 60 {
		first, release, err := port.Reserve(t.Context(), port.Most)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		for p := first; p < first+port.Most; p++ {
			if taken[p] {
				t.Fatalf("port %d was given twice", p)
			}
			taken[p] = true
		}
	}
	for p := range taken {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatCannotBeReservedIsSaid(t *testing.T) {
	t.Parallel()
	for _, n := range []int{-1, 0, port.Most + 1} {
		if _, _, err := port.Reserve(t.Context(), n); err == nil {
			t.Errorf("%d ports were reserved", n)
		}
	}
}
