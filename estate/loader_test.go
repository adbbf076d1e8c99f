package estate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLoaderIsLoad makes random edits of random estates, one after another, and
// compares every load with one from nothing: documents changed, added, removed,
// moved within a file and between files, renamed, broken and mended, and names that
// become those of two kinds, and of one again.
func TestLoaderIsLoad(t *testing.T) { t.Parallel(); loaderIsLoad(t, 6) }

func loaderIsLoad(t *testing.T, seeds int) {
	t.Helper()
	quick, full, bad, shared := 0, 0, 0, 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 3))
		files, err := Generate(GenerateOptions{Sites: 2, Servers: 8, Components: 20, Services: 5, Needs: 60, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if seed%2 == 0 { // one giant file
			var all [][]byte
			for _, f := range files {
				all = append(all, f.Data)
			}
			files = []File{{Name: "estate.yaml", Data: bytes.Join(all, []byte("---\n"))}}
		}
		var l Loader
		for step := range 20 {
			before := l.snap
			want, wantErr := Parse(files)
			got, gotErr := l.Parse(files)
			if !reflect.DeepEqual(wantErr, gotErr) {
				t.Fatalf("seed %d, step %d: the errors differ:\n%s", seed, step, cmp.Diff(fmt.Sprint(wantErr), fmt.Sprint(gotErr)))
			}
			if !reflect.DeepEqual(atOnce(want), atOnce(got)) {
				t.Fatalf("seed %d, step %d: the snapshots differ:\n%s", seed, step, cmp.Diff(atOnce(want), atOnce(got), cmp.AllowUnexported(Snapshot{}, mark{}, roster{})))
			}
			if gotErr == nil && before != nil {
				unread := *before // without its texts, every document is written anew
				unread.text = [kinds][][]byte{}
				if diff := cmp.Diff(Diff(&unread, got), Diff(before, got)); diff != "" {
					t.Fatalf("seed %d, step %d: what changed (-all written +by texts):\n%s", seed, step, diff)
				}
			}
			switch {
			case gotErr != nil:
				bad++
				files = l.lastFiles() // somebody takes the mistake back
			case before != nil && shares(before, got):
				if quick++; !sameMeaning(before, got) {
					shared++
				}
			default:
				full++
			}
			files = edited(r, files)
		}
	}
	t.Logf("%d loads by what changed, %d of them with names of two kinds, %d whole, %d refused", quick, shared, full, bad)
	if quick < full || bad == 0 || shared < seeds {
		t.Errorf("%d loads by what changed, %d whole, %d refused: the edits do not try what they should", quick, full, bad)
	}
}

// atOnce returns the snapshot with rosters that were made at once.
func atOnce(s *Snapshot) *Snapshot {
	if s == nil {
		return nil
	}
	out := *s
	for _, k := range Kinds() {
		all := map[string]int{}
		for i := range s.Count(k) {
			name := s.nameAt(k, i)
			if at, ok := s.index[k].at(name); ok {
				all[name] = at
			}
		}
		for _, gone := range []map[string]int{s.index[k].of, s.index[k].more} {
			for name := range gone {
				if at, ok := s.index[k].at(name); ok {
					all[name] = at
				}
			}
		}
		out.index[k] = &roster{of: all}
	}
	return &out
}

func (l *Loader) lastFiles() []File {
	var files []File
	for name, data := range l.files {
		files = append(files, File{Name: name, Data: data})
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files
}

// shares reports whether a document of the older snapshot is one of the newer.
func shares(a, b *Snapshot) bool {
	had := map[*byte]bool{}
	for _, x := range a.text[KindDomain] {
		had[&x[0]] = true
	}
	return slices.ContainsFunc(b.text[KindDomain], func(y []byte) bool { return had[&y[0]] })
}

// edited returns the files with one to three random edits.
func edited(r *rand.Rand, files []File) []File {
	files = slices.Clone(files)
	for range 1 + r.IntN(3) {
		i := r.IntN(len(files))
		docs := bytes.Split(files[i].Data, []byte("---\n"))
		d := r.IntN(len(docs))
		text := string(docs[d])
		switch r.IntN(20) {
		case 18: // a name that is one of another kind too, and everybody tells them apart
			kind, name := between(text, "kind: ", "\n"), between(text, "name: ", "\n")
			named := regexp.MustCompile(`([\[ ])` + name + `([,\]])`)
			for j := range files {
				if kind != "Component" && kind != "Service" {
					break
				}
				files[j].Data = named.ReplaceAll(files[j].Data, []byte("${1}"+strings.ToLower(kind)+"/"+name+"${2}"))
			}
			docs = append(bytes.Split(files[i].Data, []byte("---\n")), []byte("kind: Crew\nname: "+name+"\n"))
			text = string(docs[d])
		case 19: // and no more
			bare := regexp.MustCompile(`^kind: Crew\nname: .*\n$`)
			docs = slices.DeleteFunc(docs, bare.Match)
			text = ""
		case 15:
			text = strings.Replace(text, "type: rack\n", "type: site\n", 1)
		case 16, 17: // a domain more that it needs, and maybe a cycle
			other := string(docs[r.IntN(len(docs))])
			if strings.Contains(text, "kind: Domain\n") && strings.Contains(other, "kind: Domain\n") {
				text = strings.Replace(text, "needs: [", "needs: ["+between(other, "name: ", "\n")+", ", 1)
			}
		case 0: // more lines, and the same
			text = "# a remark\n\n" + text
		case 1:
			text += "title: 새 이름 " + fmt.Sprint(r.IntN(100)) + "\n"
		case 2: // gone
			docs = slices.Delete(docs, d, d+1)
			text = ""
		case 3: // twice
			docs = append(docs, docs[d])
		case 4: // another of its kind
			docs = append(docs, []byte(strings.Replace(text, "name: ", fmt.Sprintf("name: a%d", r.IntN(5)), 1)))
		case 5: // another name for it, which others may not know
			text = strings.Replace(text, "name: ", "name: z", 1)
		case 6: // elsewhere in the file
			docs = append(slices.Delete(docs, d, d+1), []byte(text))
			text = ""
		case 7: // elsewhere
			j := r.IntN(len(files))
			if j != i {
				files[j].Data = slices.Concat(files[j].Data, []byte("---\n"), docs[d])
				docs = slices.Delete(docs, d, d+1)
				text = ""
			}
		case 8:
			text = strings.Replace(text, "needs: [", "needs: [no-such-thing, ", 1)
		case 9: // a name that is one of another kind, too
			docs = append(docs, []byte("kind: Crew\nname: "+between(text, "name: ", "\n")+"\n"))
		case 10:
			text = strings.Replace(text, "users: ", "users: 1", 1)
		case 11: // a need less, and maybe a cycle of domains
			text = strings.Replace(text, "needs: ["+between(text, "needs: [", ",")+", ", "needs: [", 1)
		case 12:
			text = strings.Replace(text, "kind: Domain\n", "kind: Domain\noperator: \xc3\x28\n", 1)
		case 13:
			text := fmt.Sprintf("kind: Limit\nname: l%d\n...\nkind: Option\nname: o%d\n", r.IntN(100), r.IntN(100))
			files = append(files, File{Name: fmt.Sprintf("new%d.yaml", r.IntN(9)), Data: []byte(text)})
		case 14:
			text = strings.TrimSuffix(text, "\n")
		}
		if text != "" {
			docs[min(d, len(docs)-1)] = []byte(text)
		}
		files[i].Data = bytes.Join(docs, []byte("---\n"))
		if len(files[i].Data) == 0 {
			files = slices.Delete(files, i, i+1)
		}
		if len(files) == 0 {
			files = []File{{Name: "estate.yaml", Data: []byte("kind: Limit\nname: last\n")}}
		}
	}
	return files
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}
