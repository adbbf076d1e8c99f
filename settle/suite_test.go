package settle_test

import (
	"testing"

	"bongsu/internal/kv"
	"bongsu/settle"
	"bongsu/settle/settletest"
)

func TestBookInMemory(t *testing.T) {
	settletest.Run(t, func(*testing.T) settle.Book { return settle.NewBook(kv.NewMemory()) })
}
