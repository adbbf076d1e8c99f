package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bongsu/duty"
	"bongsu/incident"
	"bongsu/internal/config"
	"bongsu/internal/node"
)

func dutyCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "duty",
		Short: "Show, check and try out whom the nodes wake",
		Long: `The leader calls people when a loss is proposed or declared, when a recovery waits
for a person and when a legal duty is overdue: those on duty first, and others when nobody
answers. Whom, over what and how long to wait stands in the file that duty.policy of
bongsu.yaml names.`,
		Example: `  bongsu duty check --policy examples/duty/duty.yaml examples/kakao-2023`,
	}, dutyShowCommand(a), dutyCheckCommand(a), dutyTestCommand(a), dutyDescribeCommand(a))
}

// dutyFiles names the policy, by itself or by a node's configuration.
type dutyFiles struct{ config, policy string }

func dutyFlags(cmd *cobra.Command) *dutyFiles {
	var f dutyFiles
	cmd.Flags().StringVar(&f.config, "config", "", "a site's bongsu.yaml, whose duty.policy is used")
	cmd.Flags().StringVar(&f.policy, "policy", "", "the policy itself, such as duty.yaml")
	cmd.MarkFlagsMutuallyExclusive("config", "policy")
	return &f
}

const dutyHint = "bongsu duty describe explains every field of a policy"

// load reads the policy and its rotas. What of the rotas cannot be read is warned of.
func (f *dutyFiles) load(now time.Time) (*duty.Policy, map[string]*duty.Rota, []duty.Problem, error) {
	file := f.policy
	if f.config != "" {
		c, err := config.Load(f.config)
		if err != nil {
			return nil, nil, nil, &usageError{err: err, hint: "bongsu config describe explains every field"}
		}
		if file = c.Duty.Policy; file == "" {
			return nil, nil, nil, usagef(dutyHint, "%s names no duty.policy: nobody would be called", f.config)
		}
	}
	if file == "" {
		return nil, nil, nil, usagef(dutyHint, "name a node's configuration with --config, or a policy with --policy")
	}
	p, err := config.LoadDuty(file)
	if err != nil {
		return nil, nil, nil, &usageError{err: err, hint: dutyHint}
	}
	rotas, err := config.LoadRotas(file, p, now)
	var problems []duty.Problem
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			problems = append(problems, duty.Problem{Subject: "rotas", Sentence: line})
		}
	}
	return p, rotas, problems, nil
}

func nowFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("now", "", "pretend that it is this time, such as 2026-11-23T04:00:00+09:00")
}

func readNow(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usagef("write it as 2026-11-23T04:00:00+09:00", "--now %q is no time", text)
	}
	return t, nil
}

// shownDuty is what duty show prints.
type shownDuty struct {
	Now    time.Time    `json:"now"`
	Alarms []shownAlarm `json:"alarms"`
}

type shownAlarm struct {
	Name     string       `json:"name"`
	When     []string     `json:"when"`
	Channels []string     `json:"channels"`
	Levels   []shownLevel `json:"levels"`
}

type shownLevel struct {
	Call  []string `json:"call"`
	Wait  string   `json:"wait"`
	Tries int      `json:"tries"`
}

func dutyShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show who would be called now, and who next",
		Long: `Show each alarm with its levels, and whom each would call at this moment.

With --format json: {now, alarms: [{name, when, channels, levels: [{call, wait, tries}]}]}.`,
		Example: `  bongsu duty show --policy examples/duty/duty.yaml`,
		Args:    exactly(),
	}
	files, f, at := dutyFlags(cmd), formatFlag(cmd), nowFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		now, err := readNow(*at)
		if err != nil {
			return err
		}
		p, rotas, problems, err := files.load(now)
		if err != nil {
			return err
		}
		for _, x := range problems {
			a.warn(x.Sentence)
		}
		s := shownDuty{Now: now, Alarms: []shownAlarm{}}
		for i := range p.Alarms {
			s.Alarms = append(s.Alarms, showAlarm(p, &p.Alarms[i], rotas, now))
		}
		if *f == formatJSON {
			return a.printJSON(s)
		}
		for _, x := range s.Alarms {
			fmt.Fprintf(a.out, "%s  when %s; over %s\n", x.Name, strings.Join(x.When, ", "), strings.Join(x.Channels, ", "))
			for i, l := range x.Levels {
				who := strings.Join(l.Call, ", ")
				if who == "" {
					who = "nobody"
				}
				fmt.Fprintf(a.out, "  %d  %s; waits %s, %s\n", i+1, who, l.Wait, counted(l.Tries, "try", "tries"))
			}
		}
		return nil
	}
	return cmd
}

func showAlarm(p *duty.Policy, x *duty.Alarm, rotas map[string]*duty.Rota, now time.Time) shownAlarm {
	s := shownAlarm{Name: x.Name, When: x.When, Channels: x.Channels, Levels: []shownLevel{}}
	if len(s.When) == 0 {
		s.When = duty.Occasions()
	}
	for _, l := range x.Levels {
		level := shownLevel{Call: []string{}, Wait: l.Wait.String(), Tries: max(l.Tries, 1)}
		level.Call = append(level.Call, duty.Called(p, x, l, rotas, now)...)
		s.Levels = append(s.Levels, level)
	}
	return s
}

func dutyCheckCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check ESTATE",
		Short: "Say which losses would leave people who cannot be called",
		Long: `Hold a policy against the estate in folder ESTATE. Each channel names what it needs;
when a site is lost, every alarm and everybody whom it may call must have two channels
left. Rotas are looked through for the next two weeks: somebody whom the policy knows must be
on duty at every moment.

Exit code 0: nothing; 3: something; 2: bad input.

With --format json: {now, problems: [{alarm, loss, subject, sentence}]}.`,
		Example: `  bongsu duty check --policy examples/duty/duty.yaml examples/kakao-2023
  bongsu duty check --config sites/anyang/bongsu.yaml examples/kakao-2023`,
		Args:              exactly("ESTATE"),
		ValidArgsFunction: folders,
	}
	files, f, at := dutyFlags(cmd), formatFlag(cmd), nowFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		now, err := readNow(*at)
		if err != nil {
			return err
		}
		p, rotas, problems, err := files.load(now)
		if err != nil {
			return err
		}
		s, err := a.load(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		problems = append(problems, duty.Check(s, p)...)
		problems = append(problems, duty.Gaps(p, rotas, now, 14*24*time.Hour)...)
		if *f == formatJSON {
			if problems == nil {
				problems = []duty.Problem{}
			}
			err = a.printJSON(map[string]any{"now": now, "problems": problems})
		} else {
			for _, x := range problems {
				fmt.Fprintln(a.out, x.Sentence)
			}
			if len(problems) == 0 {
				fmt.Fprintf(a.out, "sound: whatever site is lost, %s can be called over two channels at least\n", counted(len(p.People), "person", "people"))
			}
		}
		if err == nil && len(problems) > 0 {
			return errFound
		}
		return err
	}
	return cmd
}

func dutyTestCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test PERSON",
		Short: "Call somebody over each of their channels, to see that it works",
		Long: `Send a test to PERSON over each channel by which they can be reached, and say for each
what became of it. The message says that it is a test and has no link. It is sent from
here, not by the nodes: run it at each site.

Exit code 0: every channel took it on; 3: some did not; 2: bad input.

With --format json: {person, calls: [{channel, to, outcome, detail, seconds}]}.`,
		Example: `  bongsu duty test kim --config sites/anyang/bongsu.yaml --yes`,
		Args:    exactly("PERSON"),
	}
	file := cmd.Flags().String("config", "", "a site's bongsu.yaml")
	only := cmd.Flags().String("channel", "", "only over this one")
	f, yes := formatFlag(cmd), yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.dutyTest(cmd.Context(), *file, args[0], *only, *f, *yes)
	}
	return cmd
}

type testedCall struct {
	Channel string  `json:"channel"`
	To      string  `json:"to"`
	Outcome string  `json:"outcome"`
	Detail  string  `json:"detail,omitempty"`
	Seconds float64 `json:"seconds"`
}

func (a *app) dutyTest(ctx context.Context, file, name, only string, f format, yes bool) error {
	if file == "" {
		return usagef("name a site's configuration: --config DIR/SITE/bongsu.yaml", "--config is missing")
	}
	c, err := config.Load(file)
	if err != nil {
		return &usageError{err: err, hint: "bongsu config describe explains every field"}
	}
	w, err := node.NewWaking(c)
	switch {
	case err != nil:
		return &usageError{err: err, hint: dutyHint}
	case w == nil:
		return usagef(dutyHint, "%s names no duty.policy: nobody would be called", file)
	}
	defer func() { _ = w.Close() }()
	who, ok := w.Policy.Person(name)
	if !ok {
		var names []string
		for _, x := range w.Policy.People {
			names = append(names, x.Name)
		}
		return usagef("there are "+strings.Join(names, ", "), "the policy knows no %s", name)
	}
	var channels []string
	for _, ch := range w.Policy.Channels {
		if who.Reach[ch.Name] != "" && (only == "" || only == ch.Name) {
			channels = append(channels, ch.Name)
		}
	}
	if len(channels) == 0 {
		return usagef("people[].reach of the policy says where", "%s cannot be reached over %s", name, only)
	}
	if err := a.confirm(yes, fmt.Sprintf("call %s over %s", name, strings.Join(channels, ", "))); err != nil {
		return err
	}
	var calls []testedCall
	failed := false
	for _, ch := range channels {
		begun := time.Now()
		call := incident.Call{Alarm: "test", Number: int(begun.Unix()), Person: name, Channel: ch, Reason: "test"}
		words := duty.Say(call, &incident.Record{}, who, nil, nil, time.UTC)
		t := testedCall{Channel: ch, To: who.Reach[ch], Outcome: duty.Sent}
		if err := w.Call(ctx, "test", call, words); err != nil {
			t.Outcome, t.Detail, failed = duty.Failed, err.Error(), true
		}
		t.Seconds = time.Since(begun).Seconds()
		calls = append(calls, t)
		if f == formatText {
			fmt.Fprintf(a.out, "%-8s  %s  %s  %.1f s", t.Channel, t.Outcome, t.To, t.Seconds)
			if t.Detail != "" {
				fmt.Fprintf(a.out, "  %s", t.Detail)
			}
			fmt.Fprintln(a.out)
		}
	}
	if f == formatJSON {
		if err := a.printJSON(map[string]any{"person": name, "calls": calls}); err != nil {
			return err
		}
	}
	if failed {
		return errFound
	}
	return nil
}

func dutyDescribeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "describe",
		Short:   "Print a policy with every field explained",
		Long:    `Print a duty.yaml with every field and what it means. It can be read back.`,
		Example: `  bongsu duty describe > duty.yaml`,
		Args:    exactly(),
		RunE:    func(*cobra.Command, []string) error { return config.DescribeDuty(a.out) },
	}
}
