package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bongsu/internal/config"
	"bongsu/internal/port"
	"bongsu/web"
)

// lease is how long a node of the demo that is cut off may act: the least that
// etcd grants with some room, so that the demo is not all waiting.
const (
	lease = 2 * time.Second
	hold  = lease + 2500*time.Millisecond
	// goodFor is how long the pages believe a control that is silent. Another leader
	// speaks long before; where nobody can lead, the demo shows that they say so.
	goodFor = 10 * time.Second

	startLimit  = time.Minute // of each thing that the beginning waits for
	portsOfSite = 9           // four of control and workload, five of the public node
)

// start brings up a node, a workload and a public node for every site, pushes the
// estate, and waits until every site sees every other, a site to be lost leads, and
// every page tells that all is well.
func (d *demo) start(ctx context.Context) error {
	given, public := map[string]config.Ports{}, map[string]config.PublicPorts{}
	for _, site := range d.sites {
		p, release, err := port.Reserve(ctx, portsOfSite)
		if err != nil {
			return err
		}
		d.release = append(d.release, release)
		given[site] = config.Ports{Peer: p, Client: p + 1, Console: p + 2}
		d.consoles[site] = fmt.Sprintf("http://127.0.0.1:%d", p+2)
		d.urls[site] = fmt.Sprintf("http://127.0.0.1:%d", p+3)
		public[site] = config.PublicPorts{Peer: p + 4, Client: p + 5, Page: p + 6, Push: p + 7, Desk: p + 8}
	}
	files, err := Prepare(d.o.Estate, d.speed, d.urls)
	if err != nil {
		return err
	}
	estateDir := filepath.Join(d.dir, "estate")
	if err := os.Mkdir(estateDir, 0o700); err != nil {
		return err
	}
	pushed := map[string][]byte{}
	for _, f := range files {
		pushed[f.Name] = f.Data
		if err := os.WriteFile(filepath.Join(estateDir, f.Name), f.Data, 0o600); err != nil {
			return err
		}
	}
	if err := d.launchAll(given, public, estateDir); err != nil {
		return err
	}
	return d.settle(ctx, pushed)
}

// launchAll writes the configurations and starts the processes.
func (d *demo) launchAll(given map[string]config.Ports, public map[string]config.PublicPorts, estateDir string) error {
	// The sites to be lost come first, so that one of them votes and leads.
	sites := slices.Clone(d.sites)
	slices.SortStableFunc(sites, func(a, b string) int {
		switch {
		case d.lostSite[a] == d.lostSite[b]:
			return 0
		case d.lostSite[a]:
			return -1
		}
		return 1
	})
	made, err := config.Init(filepath.Join(d.dir, "sites"), config.InitOptions{
		Cluster: "demo", Sites: sites, Ports: given, Public: public,
		Change: func(site string, c *config.Config) {
			c.Detection.Interval, c.Detection.Timeout = 250*time.Millisecond, 500*time.Millisecond
			c.Detection.Lease, c.Detection.Hold = lease, hold
			c.Policy.Declare, c.Policy.Approve = config.Auto, config.Auto
			c.Public.FirstWord, c.Public.Pulse, c.Public.GoodFor = config.Auto, time.Second, goodFor
			c.Fence.Timeout = lease / 2
			c.Fence.HTTP, c.Fence.Release.HTTP = d.urls[site]+"/fence", d.urls[site]+"/release"
		},
	})
	if err != nil {
		return err
	}
	for _, l := range made.Logins {
		if l.Role == config.Approver {
			d.user, d.password = l.Name, l.Password.Reveal()
		}
	}
	token, err := os.ReadFile(made.Tokens["cli-approver"])
	if err != nil {
		return err
	}
	d.token = strings.TrimSpace(string(token))
	d.pages = made.Pages
	first := true
	for _, site := range sites {
		told, err := d.writeWorkload(site, estateDir)
		if err != nil {
			return err
		}
		if d.loads[site], err = launch(d.o.Self, d.dir, "workload-"+site, nil, "demo", "workload", told); err != nil {
			return err
		}
		if d.publics[site], err = launch(d.o.Self, d.dir, "public-"+site, nil, "public", "--config", made.Public[site]); err != nil {
			return err
		}
		args := []string{"serve", "--config", made.Files[site]}
		if !first { // let the first one lead
			args = append(args, "--stand-back", "3s")
		}
		first = false
		env := []string{workloadEnv + "=" + d.urls[site]}
		if d.nodes[site], err = launch(d.o.Self, d.dir, "node-"+site, env, args...); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until the control plane is whole.
func (d *demo) settle(ctx context.Context, files map[string][]byte) error {
	c, err := d.client(d.sites[0])
	if err != nil {
		return err
	}
	err = until(ctx, startLimit, "the nodes find each other", d.all(), func(ctx context.Context) bool {
		for _, site := range d.sites {
			c, err := d.client(site)
			if err != nil {
				return false
			}
			if h, err := c.Health(ctx); err != nil || !h.Quorum {
				return false
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	if _, err := c.Push(ctx, files, "the demo begins"); err != nil {
		return fmt.Errorf("push the estate: %w", err)
	}
	err = until(ctx, startLimit, "the sites see each other", d.all(), func(ctx context.Context) bool {
		n, err := c.Now(ctx)
		if err != nil || n.Leader == "" || len(n.Sites) < len(d.sites) {
			return false
		}
		d.leader = n.Leader
		d.voters = d.voters[:0]
		for _, s := range n.Sites {
			if s.Voter {
				d.voters = append(d.voters, s.Name)
			}
		}
		return !slices.ContainsFunc(n.Sites, func(s web.Site) bool { return s.State != web.StateUp || !s.Observes })
	})
	if err != nil {
		return err
	}
	return until(ctx, startLimit, "the pages tell that all is well", d.all(), func(ctx context.Context) bool {
		for _, site := range d.sites {
			if w, err := d.says(ctx, site); err != nil || w.Stale || w.AsOf.IsZero() {
				return false
			}
		}
		return true
	})
}
