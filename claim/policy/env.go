package policy

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"bongsu/estate"
)

// mostCost bounds one expression, in CEL's own units (about one per operation); an
// expression of a policy needs some tens. CEL has no loops, only macros over lists, so
// with bounds on what a case holds the most that an expression can cost is known
// before it runs: a dearer one is refused with its policy.
const mostCost = 10_000

// What a case holds at most; one that holds more is for a person.
const (
	mostEvidence = 32
	mostText     = 256 // bytes
)

// sizes tells CEL's estimate how large things are.
type sizes struct{}

func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	if n.Type().Kind() == types.ListKind {
		return &cost.SizeEstimate{Max: mostEvidence}
	}
	return &cost.SizeEstimate{Max: mostText}
}

// A program is one checked expression; nil where the policy says nothing.
type program = cel.Program

// variables is all that a rule can name.
func variables() map[string]*cel.Type {
	return map[string]*cel.Type{
		"claim.service": cel.StringType, "claim.part": cel.StringType, "claim.use": cel.StringType, "claim.kind": cel.StringType,
		"claim.loss": cel.IntType, "claim.proven": cel.IntType, "claim.best": cel.IntType, "claim.week": cel.IntType, "claim.flags": cel.IntType,
		"claim.evidence": cel.ListType(cel.StringType), "claim.from": cel.TimestampType, "claim.to": cel.TimestampType, "claim.filed": cel.TimestampType,
		"account.known": cel.BoolType, "account.plan": cel.StringType, "account.fee": cel.IntType, "account.since": cel.TimestampType,
		"account.service": cel.StringType,
		"outage.known":    cel.BoolType, "outage.minutes": cel.IntType, "outage.hours": cel.IntType, "outage.days": cel.IntType,
		"outage.degraded": cel.IntType, "outage.from": cel.TimestampType, "outage.to": cel.TimestampType,
	}
}

// environment is the language of rules: CEL with our names and four functions on
// integers.
func environment() (*cel.Env, error) {
	var options []cel.EnvOption
	for name, t := range variables() {
		options = append(options, cel.Variable(name, t))
	}
	two := []*cel.Type{cel.IntType, cel.IntType}
	options = append(options,
		cel.Function("least", cel.Overload("least_int_int", two, cel.IntType, cel.BinaryBinding(integers(func(a, b int64) (int64, error) { return min(a, b), nil })))),
		cel.Function("most", cel.Overload("most_int_int", two, cel.IntType, cel.BinaryBinding(integers(func(a, b int64) (int64, error) { return max(a, b), nil })))),
		cel.Function("ceil", cel.Overload("ceil_int_int", two, cel.IntType, cel.BinaryBinding(integers(func(a, b int64) (int64, error) { return portion(a, 1, 1, b) })))),
		cel.Function("portion", cel.Overload("portion_int_int_int_int", []*cel.Type{cel.IntType, cel.IntType, cel.IntType, cel.IntType}, cel.IntType,
			cel.FunctionBinding(func(args ...ref.Val) ref.Val {
				var n [4]int64
				for i, a := range args {
					v, ok := a.(types.Int)
					if !ok {
						return types.NewErr("portion: not an integer")
					}
					n[i] = int64(v)
				}
				v, err := portion(n[0], n[1], n[2], n[3])
				if err != nil {
					return types.NewErr("%v", err)
				}
				return types.Int(v)
			}))),
	)
	return cel.NewEnv(options...)
}

func integers(f func(a, b int64) (int64, error)) func(x, y ref.Val) ref.Val {
	return func(x, y ref.Val) ref.Val {
		a, okA := x.(types.Int)
		b, okB := y.(types.Int)
		if !okA || !okB {
			return types.NewErr("not an integer")
		}
		v, err := f(int64(a), int64(b))
		if err != nil {
			return types.NewErr("%v", err)
		}
		return types.Int(v)
	}
}

var errOverflow = errors.New("the amount is too large")

// portion returns amount x num / den rounded up to the next multiple of step, exactly.
func portion(amount, num, den, step int64) (int64, error) {
	switch {
	case amount < 0 || num < 0:
		return 0, errors.New("portion of a negative amount")
	case den <= 0 || step <= 0:
		return 0, errors.New("portion: division by zero")
	}
	hi, lo := bits.Mul64(uint64(amount), uint64(num))
	whole := func(hi, lo, by uint64) (uint64, error) { // rounded up
		if hi >= by {
			return 0, errOverflow
		}
		q, r := bits.Div64(hi, lo, by)
		if r > 0 {
			q++
		}
		return q, nil
	}
	shi, slo := bits.Mul64(uint64(den), uint64(step))
	if shi > 0 {
		return 0, errOverflow
	}
	steps, err := whole(hi, lo, slo)
	if err != nil {
		return 0, err
	}
	hi, lo = bits.Mul64(steps, uint64(step))
	if hi > 0 || lo > math.MaxInt64 {
		return 0, errOverflow
	}
	return int64(lo), nil
}

// compile checks one expression and makes a program of it.
func compile(env *cel.Env, text string, want *cel.Type) (program, error) {
	if len(text) > 4<<10 {
		return nil, errors.New("the expression is longer than 4 KiB")
	}
	ast, iss := env.Compile(text)
	if err := iss.Err(); err != nil {
		return nil, errors.New(explain(text, iss))
	}
	if !ast.OutputType().IsExactType(want) {
		return nil, fmt.Errorf("it gives %s, expected %s", ast.OutputType(), want)
	}
	most, err := env.EstimateCost(ast, sizes{})
	if err != nil {
		return nil, fmt.Errorf("its cost cannot be told: %w", err)
	}
	if most.Max > mostCost {
		return nil, fmt.Errorf("it may cost %d operations for one claim, at most %d are allowed: nest less", most.Max, mostCost)
	}
	return env.Program(ast, cel.EvalOptions(cel.OptOptimize))
}

// undeclared finds what CEL did not know, to suggest what it does.
var undeclared = regexp.MustCompile(`undeclared reference to '([^']*)'`)

// explain is what CEL holds against an expression, a line each, with the nearest name.
func explain(expression string, iss *cel.Issues) string {
	several := strings.Contains(strings.TrimSpace(expression), "\n")
	var out []string
	for _, e := range iss.Errors() {
		said := strings.Join(strings.Fields(strings.TrimSuffix(e.Message, " (in container '')")), " ")
		text := fmt.Sprintf("character %d: %s", e.Location.Column()+1, said)
		if several {
			text = fmt.Sprintf("line %d, %s", e.Location.Line(), text)
		}
		if m := undeclared.FindStringSubmatch(e.Message); m != nil && !strings.Contains(text, "did you mean") {
			names := []string{"least", "most", "ceil", "portion"}
			for n := range variables() {
				names = append(names, n)
			}
			slices.Sort(names)
			if near := estate.Nearest(m[1], names); near != "" {
				text += fmt.Sprintf("; did you mean %s?", near)
			} else {
				text += "; known are claim.…, account.… and outage.…"
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

// ResolveName gives CEL what a rule names, without building a map for every claim.
func (c *Case) ResolveName(name string) (any, bool) {
	switch name {
	case "claim.service":
		return c.Claim.Service, true
	case "claim.part":
		return c.Claim.Part, true
	case "claim.use":
		return c.Claim.Use, true
	case "claim.kind":
		return c.Claim.Kind, true
	case "claim.loss":
		return c.Claim.Loss, true
	case "claim.proven":
		return c.Claim.Proven, true
	case "claim.best":
		return c.Claim.Best, true
	case "claim.week":
		return c.Claim.Week, true
	case "claim.flags":
		return c.Claim.Flags, true
	case "claim.evidence":
		return c.Claim.Evidence, true
	case "claim.from":
		return c.Claim.From, true
	case "claim.to":
		return c.Claim.To, true
	case "claim.filed":
		return c.Claim.Filed, true
	case "account.known":
		return c.Account.ID != "", true
	case "account.service":
		return c.Account.Service, true
	case "account.plan":
		return c.Account.Plan, true
	case "account.fee":
		return c.Account.Fee, true
	case "account.since":
		return c.Account.Since, true
	case "outage.known":
		return c.Outage.Known, true
	case "outage.minutes":
		return c.Outage.Minutes, true
	case "outage.hours":
		return c.Outage.hours(), true
	case "outage.days":
		return c.Outage.days(), true
	case "outage.degraded":
		return c.Outage.Degraded, true
	case "outage.from":
		return c.Outage.From, true
	case "outage.to":
		return c.Outage.To, true
	}
	return nil, false
}

// Parent of an activation; a case has none.
func (c *Case) Parent() cel.Activation { return nil }
