package estate

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// base is what the cases below refer to.
const base = `kind: Domain
name: north
type: site
---
{kind: Domain, name: south, type: site}
---
{kind: Component, name: db}
---
{kind: Component, name: both}
---
{kind: Service, name: both}
---
{kind: Crew, name: dba}
---
{kind: Limit, name: pulls}
`

// Every mistake is told with its place, what was expected and the nearest
// valid choice. The document of a case is a file of its own beside base.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string // the errors, one a line; a.yaml: is left out
	}{
		{"no kind", "name: x", `1:1: a document has no kind; expected kind: Domain, Component, Service, Crew, Limit, Probe or Option`},
		{"unknown kind", "kind: Servce\nname: x", `1:7: kind is "Servce"; expected Domain, Component, Service, Crew, Limit, Probe or Option; did you mean "Service"?`},
		{"kind in lower case", "kind: component\nname: x", `1:7: kind is "component"; expected Domain, Component, Service, Crew, Limit, Probe or Option; did you mean "Component"?`},
		{"kind is a list", "kind: [Domain]\nname: x", `1:7: kind is a list; expected Domain, Component, Service, Crew, Limit, Probe or Option`},
		{"no name", "kind: Domain\ntype: site", `1:1: Domain has no name; expected the field name`},
		{"bad name", "kind: Domain\nname: Pan_Gyo", `2:7: name "Pan_Gyo" is no valid name; expected lower-case letters, digits, dots and hyphens, beginning with a letter or digit; did you mean "pan-gyo"?`},
		{"name is a list", "kind: Domain\nname: [a]", `2:7: name is a list; expected a name`},
		{"document is a list", "- a\n- b", `1:1: a document is a list; expected a mapping with kind and name`},
		{"document is text", "hello", `1:1: a document is "hello"; expected a mapping with kind and name`},
		{"unknown field", "kind: Component\nname: x\nneed: [db]", `3:1: Component: unknown field "need"; expected kind, name, title, tool, mode, atLeast, auto, replicas, needs, wants, startNeeds, data, actions, spread, source, cost or waive; did you mean "needs"?`},
		{"unknown field of a replica", "kind: Component\nname: x\nreplicas:\n  - {in: north, cuont: 2}", `4:17: a replica: unknown field "cuont"; expected in, count, uses, role, sync or lag; did you mean "count"?`},
		{"field twice", "kind: Domain\nname: x\ntype: a\ntype: b", `4:1: Domain has "type" twice; expected each field once`},
		{"name twice", "kind: Domain\nname: north", `1:1: duplicate Domain "north"; the first is at base.yaml:1:1; expected each name once within its kind`},
		{"merge key", "kind: Domain\n<<: {name: x}\nname: x", `2:1: merge keys (<<) are not part of the format; expected the fields written out`},
		{"tag", "kind: Domain\nname: x\ntitle: !!str 5", `3:8: tag !!str is not part of the format; expected plain YAML without tags`},
		{"unknown domain", "kind: Component\nname: x\nreplicas: [{in: nroth}]", `3:17: in: unknown name "nroth"; expected a domain; did you mean "north"?`},
		{"unknown need", "kind: Component\nname: x\nneeds: [dbb]", `3:9: needs: unknown name "dbb"; expected a domain, a component, a service or a crew; did you mean "db"?`},
		{"unknown need, nothing near", "kind: Component\nname: x\nneeds: elsewhere", `3:8: needs: unknown name "elsewhere"; expected a domain, a component, a service or a crew`},
		{"ambiguous need", "kind: Component\nname: x\nneeds: [both]", `3:9: needs: "both" is ambiguous; expected component/both or service/both`},
		{"need of an unknown kind", "kind: Component\nname: x\nneeds: [compnent/db]", `3:9: needs: "compnent/db" cannot be named here; expected a domain, a component, a service or a crew; did you mean "component/db"?`},
		{"need with a kind, unknown", "kind: Component\nname: x\nneeds: [service/bot]", `3:9: needs: unknown name "service/bot"; expected a service; did you mean "service/both"?`},
		{"need of a limit", "kind: Component\nname: x\nneeds: [pulls, limit/pulls]", `3:9: needs: "pulls" is a limit; expected a domain, a component, a service or a crew
3:16: needs: "limit/pulls" cannot be named here; expected a domain, a component, a service or a crew`},
		{"domain needs a component", "kind: Domain\nname: x\nneeds: [db, component/db]", `3:9: needs: "db" is a component; expected a domain
3:13: needs: "component/db" cannot be named here; expected a domain`},
		{"nothing to choose from", "kind: Component\nname: x\nneeds: {anyOf: []}", `3:16: needs cannot be met: anyOf has nothing to choose from; expected at least one name`},
		{"more than there are", "kind: Component\nname: x\nneeds: [{atLeast: 3, of: [north, south]}]", `3:19: needs cannot be met: atLeast is 3 of 2; expected at most 2`},
		{"less than one", "kind: Component\nname: x\nneeds: [{atLeast: 0, of: [north, south]}]", `3:19: needs atLeast is 0; expected a whole number of at least 1`},
		{"of nothing", "kind: Component\nname: x\nneeds: [{atLeast: 1, of: []}]", `3:26: needs cannot be met: of has nothing to choose from; expected at least one name`},
		{"half a condition", "kind: Component\nname: x\nneeds: [{atLeast: 1}]", `3:9: needs has an incomplete or mixed condition; expected either {anyOf: […]} or {atLeast: k, of: […]}`},
		{"mixed condition", "kind: Component\nname: x\nneeds: [{anyOf: [db], of: [db]}]", `3:9: needs has an incomplete or mixed condition; expected either {anyOf: […]} or {atLeast: k, of: […]}`},
		{"unknown condition", "kind: Component\nname: x\nneeds: [{anyof: [db]}]", `3:10: needs: unknown field "anyof"; expected anyOf, atLeast or of; did you mean "anyOf"?`},
		{"empty list inside", "kind: Component\nname: x\nneeds: [db, []]", `3:13: needs has an empty list inside; expected at least one name`},
		{"empty item", "kind: Component\nname: x\nneeds:\n  - db\n  -", `5:4: needs has an item that is empty; expected a name, a list, {anyOf: […]} or {atLeast: k, of: […]}`},
		{"needs without a value", "kind: Component\nname: x\nneeds:", `3:7: needs is nothing; expected a name, a list, {anyOf: […]} or {atLeast: k, of: […]}, or no such field`},
		{"domains in a circle", "kind: Domain\nname: a\nneeds: [b]\n---\nkind: Domain\nname: b\nneeds: {anyOf: [north, c]}\n---\nkind: Domain\nname: c\nneeds: [a]", `3:9: domains need each other in a cycle: a -> b -> c -> a; expected needs among domains without a cycle`},
		{"domain needs itself", "kind: Domain\nname: a\nneeds: [a]", `3:9: domains need each other in a cycle: a -> a; expected needs among domains without a cycle`},
		{"duration without unit", "kind: Component\nname: x\nactions: [{name: a, does: start, takes: 30}]", `3:41: takes is 30; expected a duration such as 90s, 12m, 1h30m or 7d; did you mean "30s"?`},
		{"duration with a wrong unit", "kind: Component\nname: x\nactions: [{name: a, does: start, takes: 30min}]", `3:41: takes is "30min"; expected a duration such as 90s, 12m, 1h30m or 7d; did you mean "30m"?`},
		{"duration below zero", "kind: Component\nname: x\nactions: [{name: a, does: start, takes: -5m}]", `3:41: takes is "-5m"; expected a duration such as 90s, 12m, 1h30m or 7d`},
		{"units out of order", "kind: Component\nname: x\nactions: [{name: a, does: start, takes: 5m1h}]", `3:41: takes is "5m1h"; expected a duration such as 90s, 12m, 1h30m or 7d`},
		{"worst below likely", "kind: Component\nname: x\nactions: [{name: a, does: start, takes: {likely: 5m, worst: 1m}}]", `3:41: takes is 1m at worst but 5m likely; expected worst to be at least likely`},
		{"only worst", "kind: Component\nname: x\nactions: [{name: a, does: start, takes: {worst: 1m}}]", `3:41: takes has no likely; expected {likely: 12m, worst: 45m}`},
		{"size with a wrong unit", "kind: Component\nname: x\ndata: {size: 40T}", `3:14: size is "40T"; expected a size such as 40TiB, 5GB or a number; did you mean "40TB"?`},
		{"size below zero", "kind: Domain\nname: x\ncapacity: {servers: -1}", `3:21: servers is -1; expected a size such as 40TiB, 5GB or a number`},
		{"wrong date", "kind: Domain\nname: x\nsource: {at: 1 March}", `3:14: at is "1 March"; expected a date such as 2022-03-01 or a time such as 2022-10-15T15:27:00+09:00`},
		{"wrong truth value", "kind: Component\nname: x\ntool: yes", `3:7: tool is "yes"; expected true or false; did you mean "true"?`},
		{"number in quotes", "kind: Service\nname: x\nusers: \"5\"", `3:8: users is text ("5" in quotes); expected a whole number of at least 0`},
		{"number is text", "kind: Service\nname: x\nusers: many", `3:8: users is "many"; expected a whole number of at least 0`},
		{"terminal escape", "kind: Service\nname: x\ntitle: \"\\e[2J\"", `3:8: title has "\x1b" in it; expected text without control characters`},
		{"weight beyond sense", "kind: Service\nname: x\nweight: 1e300", `3:9: weight is 1e300; expected a number from 0 to 1e+06`},
		{"not whole", "kind: Service\nname: x\nusers: 1.5", `3:8: users is 1.5; expected a whole number of at least 0`},
		{"more replicas than are counted", "kind: Component\nname: x\nreplicas: [{in: north, count: 1000000001}]", `3:31: count is 1000000001; expected at most 1000000000`},
		{"more replicas than are counted, together", "kind: Component\nname: x\nreplicas:\n- {in: north, count: 6e8}\n- {in: south, count: 6e8}\nactions: [{name: a, does: scale, adds: {count: 6e8}}]", `5:3: the replicas and what the actions add come to 1200000000; expected at most 1000000000`},
		{"more replicas than are counted, with what is added", "kind: Component\nname: x\nreplicas: [{in: north, count: 6e8}]\nactions: [{name: a, does: scale, adds: {count: 6e8}}]", `4:11: the replicas and what the actions add come to 1200000000; expected at most 1000000000`},
		{"a cost whose sums are infinite", "kind: Component\nname: x\ncost: 1e308", `3:7: cost is 1e308; expected a number from 0 to 1e+15`},
		{"a size whose sums are infinite", "kind: Domain\nname: x\ncapacity: {servers: 1e308}", `3:21: servers is 1e308; expected at most 1e+24`},
		{"count below zero", "kind: Component\nname: x\nreplicas: [{in: north, count: -1}]", `3:31: count is -1; expected a whole number of at least 0`},
		{"atLeast below one", "kind: Component\nname: x\natLeast: 0", `3:10: atLeast is 0; expected a whole number of at least 1`},
		{"crew below zero", "kind: Component\nname: x\nactions: [{name: a, does: start, crew: {dba: -1}}]", `3:46: dba is -1; expected a whole number of at least 0`},
		{"unknown crew", "kind: Component\nname: x\nactions: [{name: a, does: start, crew: {bda: 1}}]", `3:41: crew: unknown name "bda"; expected a crew; did you mean "dba"?`},
		{"unknown limit", "kind: Component\nname: x\nactions: [{name: a, does: start, uses: {pull: 1}}]", `3:41: uses: unknown name "pull"; expected a limit; did you mean "pulls"?`},
		{"unknown mode", "kind: Component\nname: x\nmode: qourum", `3:7: mode is "qourum"; expected any, quorum or primary; did you mean "quorum"?`},
		{"unknown does", "kind: Component\nname: x\nactions: [{name: a, does: promot}]", `3:27: does is "promot"; expected promote, start, scale, restore, rebuild, switch or shrink; did you mean "promote"?`},
		{"no does", "kind: Component\nname: x\nactions: [{name: a}]", `3:11: an action has no does; expected the field does`},
		{"unknown driver", "kind: Component\nname: x\nactions: [{name: a, does: start, run: {exce: {}}}]", `3:40: run: unknown field "exce"; expected exec, http, ssh, postgres, redis, mysql, dns, haproxy, kubernetes or manual; did you mean "exec"?`},
		{"two drivers", "kind: Component\nname: x\nactions: [{name: a, does: start, run: {exec: {}, http: {}}}]", `3:50: run has a second driver "http"; expected exactly one driver`},
		{"no driver", "kind: Component\nname: x\nactions: [{name: a, does: start, run: {}}]", `3:39: run has no driver; expected one of exec, http, ssh, postgres, redis, mysql, dns, haproxy, kubernetes or manual`},
		{"action twice", "kind: Component\nname: x\nactions:\n  - {name: a, does: start}\n  - {name: a, does: scale}", `5:5: duplicate action "a"; the first is at line 4; expected another name`},
		{"part twice", "kind: Service\nname: x\nparts:\n  - {name: a}\n  - {name: a}", `5:5: duplicate part "a"; the first is at line 4; expected another name`},
		{"shares above one", "kind: Service\nname: x\nparts: [{name: a, share: 0.7}, {name: b, share: 0.4}]", `3:8: the shares of the parts sum to 1.1; expected at most 1`},
		{"share above one", "kind: Service\nname: x\nparts: [{name: a, share: 1.1}]", `3:26: share is 1.1; expected a number from 0 to 1`},
		{"role in mode any", "kind: Component\nname: x\nreplicas: [{in: north, role: primary}]", `3:12: a replica has role primary in mode any; expected mode: primary, or no role`},
		{"no role in mode primary", "kind: Component\nname: x\nmode: primary\nreplicas: [{in: north}]", `4:12: a replica has no role in mode primary; expected role: primary or role: standby`},
		{"two primaries", "kind: Component\nname: x\nmode: primary\nreplicas: [{in: north, role: primary}, {in: south, role: primary}]", `4:40: a second replica is primary; expected one primary`},
		{"primary with a count", "kind: Component\nname: x\nmode: primary\nreplicas: [{in: north, role: primary, count: 2}]", `4:46: a primary has a count of 2; expected count: 1`},
		{"sync without standby", "kind: Component\nname: x\nreplicas: [{in: north, sync: true}]", `3:30: sync is set on a replica that is no standby; expected role: standby`},
		{"sync with lag", "kind: Component\nname: x\nmode: primary\nreplicas: [{in: north, role: standby, sync: true, lag: 5s}]", `4:56: a standby is both in sync and 5s behind; expected sync without lag, or lag without sync`},
		{"auto in mode any", "kind: Component\nname: x\nauto: true", `3:7: auto is set in mode any; expected mode: primary`},
		{"atLeast in mode quorum", "kind: Component\nname: x\nmode: quorum\natLeast: 2", `4:10: atLeast is set in mode quorum; expected mode: any`},
		{"shrink that adds", "kind: Component\nname: x\nactions: [{name: a, does: shrink, adds: {count: 1}}]", `3:41: a shrink adds replicas; expected removes: {count: …}`},
		{"shrink of nothing", "kind: Component\nname: x\nactions: [{name: a, does: shrink}]", `3:11: a shrink does not say what it removes; expected removes: {count: …}`},
		{"start that removes", "kind: Component\nname: x\nactions: [{name: a, does: start, removes: {count: 1}}]", `3:43: a start removes replicas; expected does: shrink`},
		{"adds without count", "kind: Component\nname: x\nactions: [{name: a, does: scale, adds: {}}]", `3:40: adds has no count; expected the field count`},
		{"adds is a number", "kind: Component\nname: x\nactions: [{name: a, does: scale, adds: 5}]", `3:40: adds is "5"; expected a mapping`},
		{"at nowhere", "kind: Component\nname: x\nactions: [{name: a, does: start, at: []}]", `3:38: at is an empty list; expected at least one domain, or no such field`},
		{"at one place twice", "kind: Component\nname: x\nactions: [{name: a, does: start, at: [north, north]}]", `3:46: at names "north" twice; expected each domain once`},
		{"copy without how", "kind: Component\nname: x\ndata: {copies: [{in: north}]}", `3:17: a copy has no how; expected the field how`},
		{"unknown how", "kind: Component\nname: x\ndata: {copies: [{in: north, how: asynch}]}", `3:34: how is "asynch"; expected sync, async, snapshot or backup; did you mean "async"?`},
		{"waiver without owner", "kind: Domain\nname: x\nwaive: [{rule: outage, reason: r, until: 2027-01-01}]", `3:9: a waiver has no owner; expected the field owner`},
		{"probe without target", "kind: Probe\nname: x\nin: north", `1:1: a probe has no target; expected http: URL or tcp: HOST:PORT`},
		{"probe with two targets", "kind: Probe\nname: x\nin: north\nhttp: http://a/\ntcp: a:1", `5:6: a probe has two targets; expected http or tcp, not both`},
		{"probe with a bad URL", "kind: Probe\nname: x\nin: north\nhttp: ftp://a/", `4:7: http is "ftp://a/"; expected a URL such as https://host/health`},
		{"probe with a bad port", "kind: Probe\nname: x\nin: north\ntcp: a:70000", `4:6: tcp is "a:70000"; expected an address such as db.example:5432`},
		{"probe of a domain", "kind: Probe\nname: x\nin: north\nof: south\ntcp: a:1", `4:5: of: "south" is a domain; expected a component or a service`},
		{"probe never", "kind: Probe\nname: x\nin: north\ntcp: a:1\nevery: 0s", `5:8: every is "0s"; expected more than 0s`},
		{"probe nowhere", "kind: Probe\nname: x\ntcp: a:1", `1:1: Probe has no in; expected the field in`},
		{"YAML that is none", "kind: Domain\nname: [x\n", `2:1: the YAML cannot be read: did not find expected ',' or ']'; expected a list that ends with ]`},
		{"YAML that is none, and the next document", "kind: Domain\nname: x: y\n---\nkind: Domian\nname: z\n", `2:1: the YAML cannot be read: mapping values are not allowed in this context; expected a key on a line of its own, indented like the others, and quotes around text with a colon
4:7: kind is "Domian"; expected Domain, Component, Service, Crew, Limit, Probe or Option; did you mean "Domain"?`},
		{"bad indentation", "kind: Domain\nname: x\n  type: y\n", `3:3: the YAML cannot be read: mapping values are not allowed in this context; expected a key on a line of its own, indented like the others, and quotes around text with a colon`},
		{"quote without an end", "kind: Domain\nname: x\ntitle: \"abc\n---\nkind: Domain\nname: y\n", `3:1: the YAML cannot be read: found unexpected end of stream; expected text that ends with a quote`},
		{"key without a colon", "kind: Domain\nname x\n", `2:1: the YAML cannot be read: could not find expected ':'; expected a colon after the key`},
		{"tab", "kind: Domain\nname: x\ncapacity:\n\tservers: 1\n", `4:2: the YAML cannot be read: found character that cannot start any token; expected spaces instead of tabs, and quotes around text that begins with a sign`},
		{"unknown anchor", "kind: Domain\nname: x\ntitle: *y\n", `3:8: the YAML cannot be read: unknown anchor 'y' referenced; expected an anchor (&name) before the alias, in the same document`},
		{"alias that holds itself", "kind: Component\nname: x\nneeds: &a [db, *a]\n", `3:12: needs nests too deep; expected at most 64 levels`},
		{"not UTF-8", "kind: Domain\nname: x\ntitle: \xff\n", `3:8: the file is not UTF-8; expected text in UTF-8`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.ReplaceAll(messages(t, c.text), "a.yaml:", "")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

// messages parses text beside base and returns the errors, one a line.
func messages(t *testing.T, text string) string {
	t.Helper()
	s, err := Parse([]File{{"base.yaml", []byte(base)}, {"a.yaml", []byte(text)}})
	if err == nil {
		return "no error"
	}
	if s != nil {
		t.Error("a load with errors gave a snapshot")
	}
	var es Errors
	if !errors.As(err, &es) {
		t.Fatalf("the error is a %T", err)
	}
	for _, e := range es {
		if e.File == "" || e.Line < 1 || e.Col < 1 {
			t.Errorf("an error without a place: %v", e)
		}
	}
	return err.Error()
}

var _ = fstest.MapFS{}
