package settle_test

import (
	"bytes"
	"context"
	"testing"

	"bongsu/claim"
	"bongsu/internal/kv"
	"bongsu/settle"
	"bongsu/settle/settletest"
)

func TestBookInMemory(t *testing.T) {
	settletest.Run(t, func(*testing.T) settle.Book { return settle.NewBook(kv.NewMemory()) })
}

func TestCashierInMemory(t *testing.T) {
	s := kv.NewMemory()
	m, err := claim.NewMaster(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	k := claim.NewKeeper(s, m)
	ctx, cancel := context.WithCancel(t.Context())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() { ended <- k.Follow(ctx, func() { close(ready) }) }()
	<-ready
	settletest.RunCashier(t, settletest.World{Store: s, Ledger: k, Book: settle.NewBook(s), Every: 5})
	cancel()
	if err := <-ended; err != nil && ctx.Err() == nil {
		t.Error(err)
	}
}
