package notify

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errPrivate is why an address was not called.
var errPrivate = errors.New("is an address inside our own networks, or one that nobody outside has: refused")

// special are the prefixes that no receiver outside can have, or behind which another
// address hides, by the IANA registries of special-purpose addresses, and the metadata
// address of a cloud that looks public.
func special() []netip.Prefix {
	var all []netip.Prefix
	for _, p := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "168.63.129.16/32",
		"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
	} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

// guard decides which addresses may be called.
type guard struct {
	allow   []netip.Prefix
	special []netip.Prefix
}

func newGuard(allow []string) (guard, error) {
	g := guard{special: special()}
	for _, text := range allow {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return guard{}, fmt.Errorf("allow %q: %w", text, err)
		}
		g.allow = append(g.allow, p.Masked())
	}
	return g, nil
}

// check says whether an address may be called at a port.
func (g guard) check(ip netip.Addr, port uint16) error {
	holds := func(p netip.Prefix) bool { return p.Contains(ip) }
	if ip = ip.Unmap().WithZone(""); slices.ContainsFunc(g.allow, holds) {
		return nil
	}
	// Of IPv6 only 2000::/3 is given to anybody: that leaves out loopback, unique local,
	// link-local, mapped, NAT64 and multicast addresses.
	if !ip.IsGlobalUnicast() || ip.Is6() && ip.As16()[0]>>5 != 1 || slices.ContainsFunc(g.special, holds) {
		return fmt.Errorf("%v %w", ip, errPrivate)
	}
	if port != 80 && port != 443 && port < 1024 {
		return fmt.Errorf("port %d is for something else than web servers: use 80, 443 or one from 1024", port)
	}
	return nil
}

// control is called with the address that is about to be connected to, after names were
// looked up: what a name pointed to before does not matter.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return permanent("%s is no address: %w", address, err)
	}
	if err := g.check(a.Addr(), a.Port()); err != nil {
		return &failure{err: err, permanent: true}
	}
	return nil
}

// CheckURL says why a webhook at this address would be refused whatever its name leads
// to, so that whoever enters it is told at once.
func CheckURL(raw string) error {
	g, err := newGuard(nil)
	if err != nil {
		return err
	}
	_, err = g.url(raw)
	return err
}

func (g guard) url(raw string) (*url.URL, error) {
	if len(raw) > 2048 {
		return nil, permanent("the URL has %d characters: 2048 at most", len(raw))
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return nil, permanent("the URL must start with https:// or http:// and name a host")
	}
	if u.User != nil {
		return nil, permanent("the URL contains a user or password: leave it out, the signature shows who calls")
	}
	port := uint64(443)
	if u.Scheme == "http" {
		port = 80
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.ParseUint(p, 10, 16); err != nil {
			return nil, permanent("port %q is none", p)
		}
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		if err := g.check(ip, uint16(port)); err != nil {
			return nil, &failure{err: err, permanent: true}
		}
		return u, nil
	}
	last := host[strings.LastIndex(host, ".")+1:]
	if host == "localhost" || last == "localhost" || number(last) {
		return nil, permanent("%s %w", host, errPrivate) // a resolver may read 2130706433 and 0x7f.1 as 127.0.0.1
	}
	return u, nil
}

// number says whether the last part of a name is one, which no domain's is.
func number(s string) bool {
	_, err := strconv.ParseUint(s, 0, 64)
	return err == nil || s == "" || strings.Trim(s, "0123456789") == ""
}

// client calls nobody but whom the guard lets through, and only once.
func (g guard) client(ca string, timeout time.Duration) (*http.Client, error) {
	pool, err := roots(ca)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: timeout, Control: g.control}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would connect for us, where the guard does not see it
			DialContext:            d.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
			TLSHandshakeTimeout:    timeout,
			ResponseHeaderTimeout:  timeout,
			MaxResponseHeaderBytes: 32 << 10,
			MaxIdleConns:           64,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        30 * time.Second,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// roots reads the certificates to trust; nil for those of the system.
func roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // nil is how crypto/tls says the system's
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read whom to trust: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// maxAnswer is how much of an answer is read.
const maxAnswer = 16 << 10

// call makes a request and judges the status. It returns the beginning of the answer.
func call(c *http.Client, r *http.Request) (string, error) {
	resp, err := c.Do(r)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err // the URL can be a secret
		}
		f, refused := errors.AsType[*failure](err)
		if refused {
			return "", f
		}
		return "", fmt.Errorf("call %s: %w", r.URL.Hostname(), err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	said := string(body)
	switch s := resp.StatusCode; {
	case s >= 200 && s < 300:
		return said, nil // taken on, even if the rest of the answer was lost
	case err != nil:
		return "", fmt.Errorf("answer of %s: %w", r.URL.Hostname(), err)
	case s >= 300 && s < 400:
		return said, permanent("%s answered %d: redirects are not followed, name the last address", r.URL.Hostname(), s)
	case s >= 500 || s == http.StatusRequestTimeout || s == http.StatusTooEarly || s == http.StatusTooManyRequests:
		return said, &failure{err: fmt.Errorf("%s answered %d", r.URL.Hostname(), s), after: after(resp.Header.Get("Retry-After"))}
	default:
		return said, permanent("%s answered %d", r.URL.Hostname(), s)
	}
}

// after reads a number of seconds; a server may not silence us for more than an hour.
func after(text string) time.Duration {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, time.Hour)
}
