package claim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bongsu/internal/kv"
)

// Told is what was told last of the claims of an incident, in groups that are alike: nobody learns of fewer than [Smallest]
// claims from it, nor from holding what is told one day against what is told another.
type Told struct {
	Day    string  `json:"day"` // on which it was counted
	Groups []Group `json:"groups"`
}

// A Group is claims that share all that is told of them. Before anything is told, it is a claim.
type Group struct {
	Of     []string `json:"of"` // values, [Anything] where one is not told
	Claims int      `json:"claims"`
	Given  int      `json:"given,omitempty"` // of the claims, those that the amount is of
	Amount int64    `json:"amount,omitempty"`
}

// Anything stands where a value would tell too much.
const Anything = "*"

// Next is what is told on a day on which these are all claims, of as many values each. A group of it is as it was told last, until by
// [Smallest] claims more or fewer are in it; its amount, until by as many more or fewer are given something. So each
// figure is short of the truth by fewer than that. Values of claims are given up from the first to the last, where too few share them.
func (t Told) Next(day string, claims []Group) Told {
	rows := make([][]string, len(claims))
	for i := range claims {
		rows[i] = slices.Clone(claims[i].Of)
	}
	told, now := map[string]Group{}, map[string]Group{}
	for _, g := range t.Groups {
		told[strings.Join(g.Of, "\x00")] = g
	}
	generalise(rows, func(key string, n int) bool {
		last := told[key].Claims
		return n >= Smallest || last > 0 && last-n < Smallest // it stays as it was told
	})
	for i, of := range rows {
		key := strings.Join(of, "\x00")
		g := now[key]
		g.Of, g.Claims, g.Given, g.Amount = of, g.Claims+1, g.Given+claims[i].Given, g.Amount+claims[i].Amount
		now[key] = g
	}
	for key, g := range told { // whoever was in it is in others
		if _, ok := now[key]; !ok {
			now[key] = Group{Of: g.Of}
		}
	}
	out := Told{Day: day, Groups: []Group{}}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		g, last := now[key], told[key]
		if !tellable(last.Claims, g.Claims) {
			g.Claims = last.Claims
		}
		if g.Given > g.Claims || !tellable(last.Given, g.Given) {
			g.Given, g.Amount = last.Given, last.Amount
		}
		if g.Claims > 0 {
			out.Groups = append(out.Groups, g)
		}
	}
	return out
}

// tellable says whether a number of claims can be told after another one.
func tellable(last, now int) bool {
	return (now == 0 || now >= Smallest) && (now-last >= Smallest || last-now >= Smallest)
}

// generalise gives values up, column by column, until every combination is that of enough rows. A combination that
// many share stays as it is; rows that never find enough others end with nothing told at all.
func generalise(rows [][]string, enough func(key string, n int) bool) {
	small := make([]int, len(rows))
	for i := range rows {
		small[i] = i
	}
	for column := -1; len(small) > 0 && column < len(rows[0]); column++ {
		groups := map[string][]int{}
		for _, i := range small {
			if column >= 0 {
				rows[i][column] = Anything
			}
			key := strings.Join(rows[i], "\x00")
			groups[key] = append(groups[key], i)
		}
		settled := map[string]bool{}
		for key, all := range groups {
			settled[key] = enough(key, len(all))
		}
		small = slices.DeleteFunc(small, func(i int) bool { return settled[strings.Join(rows[i], "\x00")] })
	}
}

// storedTold is compressed: groups are many, and alike.
type storedTold struct {
	Day  string `json:"day"`
	Gzip []byte `json:"gzip"` // of JSON of [Told]
}

// Tell returns what is told today under a key of the store. The first who asks on a day has all claims counted and writes it down, for
// everybody, on every node, until the next day in the zone of now: what one node counts an hour after another would tell them apart. As
// long as there is nothing to tell, and was nothing, nothing is written down, and the next who asks has them counted again.
func Tell(ctx context.Context, s kv.Store, key string, now time.Time, count func() ([]Group, error)) (Told, error) {
	var told Told
	_, err := update(ctx, s, key, func(kept *storedTold, exists bool) (kv.Txn, error) {
		told = Told{}
		if exists {
			var err error
			if told, err = kept.unpack(); err != nil {
				return kv.Txn{}, fmt.Errorf("read %s: %w", key, err)
			}
		}
		day := now.Format(time.DateOnly)
		if told.Day >= day { // another node has counted
			return kv.Txn{}, errSame
		}
		claims, err := count()
		if err != nil {
			return kv.Txn{}, err
		}
		before := len(told.Groups)
		if told = told.Next(day, claims); before == 0 && len(told.Groups) == 0 {
			return kv.Txn{}, errSame
		}
		*kept, err = told.pack()
		return kv.Txn{}, err
	})
	if err != nil {
		return Told{}, err
	}
	return told, nil
}

// mostTold is how large what was told may be, unpacked: more is damage.
const mostTold = 256 << 20

func (s *storedTold) unpack() (Told, error) {
	var t Told
	b, err := kv.Unpack(s.Gzip, mostTold)
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(b, &t)
}

func (t Told) pack() (storedTold, error) {
	b, err := json.Marshal(t)
	if err != nil {
		return storedTold{}, err
	}
	b, err = kv.Pack(b)
	return storedTold{t.Day, b}, err
}
