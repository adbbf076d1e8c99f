package notify

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/internal/config"
)

// post is a request that a server got.
type post struct {
	method, path, query, body string
	header                    http.Header
}

// receiver is a real server that keeps what it gets and answers as told.
func receiver(t *testing.T, answer http.HandlerFunc) (*httptest.Server, *[]post) {
	t.Helper()
	var got []post
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, post{r.Method, r.URL.Path, r.URL.RawQuery, string(body), r.Header})
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv, &got
}

// here may call servers of this machine.
func here() config.Webhook {
	c := config.DefaultWebhook()
	c.Allow, c.Key, c.Timeout = []string{"127.0.0.0/8"}, config.Given("k3y"), 5*time.Second
	return c
}

func hook(t *testing.T, c config.Webhook) *Webhook {
	t.Helper()
	w, err := NewWebhook(c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWebhookIsSigned(t *testing.T) {
	srv, got := receiver(t, nil)
	body := []byte(`{"page":"상태"}`)
	m := Message{ID: "inc-1.7", To: srv.URL + "/hook?a=1", JSON: body}
	if err := hook(t, here()).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	p := (*got)[0]
	if p.method != http.MethodPost || p.path != "/hook" || p.query != "a=1" || p.body != string(body) || p.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %+v", p)
	}
	if err := Verify(config.NewSecret("k3y"), p.header, body, time.Now(), time.Minute); err != nil {
		t.Error(err)
	}
	if err := Verify(config.NewSecret("other"), p.header, body, time.Now(), time.Minute); err == nil {
		t.Error("verified with another key")
	}
	if err := Verify(config.NewSecret("k3y"), p.header, []byte(`{}`), time.Now(), time.Minute); err == nil {
		t.Error("verified another body")
	}
	if err := Verify(config.NewSecret("k3y"), p.header, body, time.Now().Add(time.Hour), time.Minute); err == nil {
		t.Error("verified an hour later")
	}
	later := p.header.Clone()
	later.Set(HeaderTime, fmt.Sprint(time.Now().Add(time.Second).Unix()+1))
	if err := Verify(config.NewSecret("k3y"), later, body, time.Now(), time.Minute); err == nil {
		t.Error("verified with another time")
	}
	m.Key = config.NewSecret("their own")
	if err := hook(t, here()).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := Verify(m.Key, (*got)[1].header, body, time.Now(), time.Minute); err != nil {
		t.Error(err)
	}
}

func TestWebhookWithoutBody(t *testing.T) {
	srv, got := receiver(t, nil)
	if err := hook(t, here()).Send(t.Context(), Message{ID: "a", To: srv.URL, Subject: "s", Text: "t\n", Lang: "ko"}); err != nil {
		t.Fatal(err)
	}
	if want := `{"id":"a","subject":"s","text":"t\n","lang":"ko"}`; (*got)[0].body != want {
		t.Errorf("got %s, want %s", (*got)[0].body, want)
	}
}

// Nothing inside our own networks is called, however its address is written.
func TestWebhookRefusesPrivateAddresses(t *testing.T) {
	c := here()
	c.Allow = nil
	w := hook(t, c)
	srv, got := receiver(t, nil)
	port := srv.URL[strings.LastIndex(srv.URL, ":")+1:]
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.0.1.", "localhost", "LOCALHOST", "a.localhost", "0.0.0.0", "0", "[::]", "[::1]",
		"2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.0.0.0x1", "①②⑦.⓪.⓪.①",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]",
		"169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fe80::1]", "[fe80::1%25lo]", "100.100.100.200", "168.63.129.16", "192.0.0.192",
		"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"[fc00::1]", "[fdff::1]", "[fec0::1]", "[ff02::1]", "[100::1]", "[2001:db8::1]", "[5f00::1]",
	} {
		raw := "http://" + host + ":" + port + "/"
		err := w.Send(t.Context(), Message{ID: "a", To: raw})
		if err == nil {
			t.Errorf("%s was called", raw)
		}
	}
	if len(*got) != 0 {
		t.Errorf("the server got %d requests", len(*got))
	}
}

// What a name leads to is judged when the connection is made, so an answer that changes
// between a check and the call changes nothing.
func TestGuardJudgesTheAddressThatIsDialled(t *testing.T) {
	srv, got := receiver(t, nil)
	g, err := newGuard(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.url("http://rebind.example.com/"); err != nil {
		t.Fatalf("by its name alone nothing is wrong with it: %v", err)
	}
	client, err := g.client("", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	// A resolver that gives out this machine's address for every name.
	transport, ok := client.Transport.(*http.Transport)
	if !ok {
		t.Fatal("no transport")
	}
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, srv.Listener.Addr().String())
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://rebind.example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call(client, r); !Permanent(err) {
		t.Errorf("%v, want a permanent refusal", err)
	}
	if len(*got) != 0 {
		t.Error("it was called")
	}
}

func TestGuardLetsOthersThrough(t *testing.T) {
	g, err := newGuard([]string{"10.20.0.0/16", "fd12::/32"})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"8.8.8.8:443": true, "8.8.8.8:80": true, "8.8.8.8:8443": true, "[2606:4700::1111]:443": true, "[2a00:1450::1]:443": true,
		"8.8.8.8:25": false, "8.8.8.8:22": false, "10.20.1.2:25": true, "10.21.1.2:443": false, "[::ffff:10.20.1.2]:443": true,
		"[fd12::1]:443": true, "[fd13::1]:443": false, "172.32.0.1:443": true, "100.128.0.1:443": true, "1.1.1.1:443": true,
	} {
		if err := g.control("tcp", addr, nil); (err == nil) != want {
			t.Errorf("%s: %v, want allowed %v", addr, err, want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for raw, want := range map[string]bool{
		"https://hooks.example.com/a":            true,
		"http://example.com:8080/":               true,
		"https://한국.kr/a":                        true,
		"ftp://example.com/":                     false,
		"file:///etc/passwd":                     false,
		"gopher://example.com/":                  false,
		"https://":                               false,
		"https:///a":                             false,
		"":                                       false,
		"//example.com/":                         false,
		"https://user:pass@example.com/":         false,
		"https://example.com:99999/":             false,
		"https://example.com\r\nHost: a/":        false,
		"https://127.0.0.1/":                     false,
		"https://localhost./":                    false,
		"https://3232235777/":                    false,
		"https://" + strings.Repeat("a", 3000):   false,
		"https://169.254.169.254/latest/":        false,
		"https://[::ffff:169.254.169.254]:443/a": false,
	} {
		if err := CheckURL(raw); (err == nil) != want {
			t.Errorf("%q: %v, want allowed %v", raw, err, want)
		} else if err != nil && !Permanent(err) {
			t.Errorf("%q: %v is not permanent", raw, err)
		}
	}
}

func TestWebhookAnswers(t *testing.T) {
	for _, tt := range []struct {
		status           int
		fails, permanent bool
		after            time.Duration
	}{
		{200, false, false, 0},
		{204, false, false, 0},
		{301, true, true, 0},
		{302, true, true, 0},
		{307, true, true, 0},
		{308, true, true, 0},
		{400, true, true, 0},
		{404, true, true, 0},
		{410, true, true, 0},
		{408, true, false, 0},
		{429, true, false, 7 * time.Second},
		{500, true, false, 0},
		{503, true, false, 7 * time.Second},
	} {
		inner, calls := receiver(t, nil)
		srv, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			if tt.after > 0 {
				w.Header().Set("Retry-After", "7")
			}
			w.Header().Set("Location", inner.URL)
			w.WriteHeader(tt.status)
		})
		err := hook(t, here()).Send(t.Context(), Message{ID: "a", To: srv.URL})
		if (err != nil) != tt.fails || Permanent(err) != tt.permanent || RetryAfter(err) != tt.after {
			t.Errorf("%d: %v, permanent %v, after %v", tt.status, err, Permanent(err), RetryAfter(err))
		}
		if len(*calls) != 0 {
			t.Errorf("%d: the redirect was followed", tt.status)
		}
	}
}

func TestWebhookSurvivesHostileServers(t *testing.T) {
	quit := make(chan struct{})
	defer close(quit)
	for name, answer := range map[string]http.HandlerFunc{
		"endless answer": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			junk := make([]byte, 64<<10)
			for {
				if _, err := w.Write(junk); err != nil {
					return
				}
			}
		},
		"large headers": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 100 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("a", 4096))
			}
		},
		"no answer": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-quit:
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv, _ := receiver(t, answer)
			c := here()
			c.Timeout = 300 * time.Millisecond
			begun := time.Now()
			err := hook(t, c).Send(t.Context(), Message{ID: "a", To: srv.URL})
			if took := time.Since(begun); err == nil || took > 10*time.Second {
				t.Errorf("%v after %v", err, took)
			}
		})
	}
}

// The address of a Slack webhook is a secret.
func TestErrorsKeepAddressesToThemselves(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := "http://" + l.Addr().String() + "/services/T0/B0/s3cret"
	_ = l.Close()
	err = hook(t, here()).Send(t.Context(), Message{ID: "a", To: to})
	if err == nil || Permanent(err) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
}

func TestSlack(t *testing.T) {
	srv, got := receiver(t, nil)
	s, err := NewSlack(here())
	if err != nil {
		t.Fatal(err)
	}
	m := Message{ID: "a", To: srv.URL + "/services/x", Subject: "*메일* 복구 중", Text: "<!channel> 62 % & <https://evil|bank>"}
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var body map[string]string
	if err := json.Unmarshal([]byte((*got)[0].body), &body); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"text": "*∗메일∗ 복구 중*\n&lt;!channel&gt; 62 % &amp; &lt;https://evil|bank&gt;"}
	if d := cmp.Diff(want, body); d != "" {
		t.Error(d)
	}
	if (*got)[0].header.Get(HeaderSignature) != "" {
		t.Error("signed, though nobody asked")
	}
}

func gateway(t *testing.T, change func(*config.SMS)) *SMS {
	t.Helper()
	c := config.DefaultSMS()
	c.From, c.Secret, c.Allow, c.Timeout = "02-120", config.Given("g4te"), []string{"127.0.0.0/8"}, 5*time.Second
	change(&c)
	s, err := NewSMS(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSMS(t *testing.T) {
	nasty := "판교 \"정전\"\r\n확인: https://a.kr/ack/x&y=1 </text> ${secret} \\u0000\x07 +%41"
	plain := "판교 \"정전\"\n확인: https://a.kr/ack/x&y=1 </text> ${secret} \\u0000  +%41"
	m := Message{ID: "call-1", To: "+82 10-1234-5678", Text: nasty}
	srv, got := receiver(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"header":{"isSuccessful":true}}`) })
	last := func() post { return (*got)[len(*got)-1] }
	t.Run("json", func(t *testing.T) {
		s := gateway(t, func(c *config.SMS) {
			c.URL, c.Success = srv.URL+"/sms/v3/${id}", `"isSuccessful":true`
			c.Headers = map[string]string{"X-Secret-Key": "${secret}"}
		})
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		var body map[string]string
		if err := json.Unmarshal([]byte(last().body), &body); err != nil {
			t.Fatalf("%v in %s", err, last().body)
		}
		if d := cmp.Diff(map[string]string{"to": "+821012345678", "from": "02-120", "text": plain}, body); d != "" {
			t.Error(d)
		}
		if last().path != "/sms/v3/call-1" || last().header.Get("X-Secret-Key") != "g4te" {
			t.Errorf("got %+v", last())
		}
	})
	t.Run("form", func(t *testing.T) {
		s := gateway(t, func(c *config.SMS) {
			c.URL, c.ContentType, c.Body = srv.URL, "application/x-www-form-urlencoded", "To=${to}&Body=${text}"
		})
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		q, err := url.ParseQuery(last().body)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(url.Values{"To": {"+821012345678"}, "Body": {plain}}, q); d != "" {
			t.Error(d)
		}
	})
	t.Run("xml", func(t *testing.T) {
		s := gateway(t, func(c *config.SMS) {
			c.URL, c.ContentType, c.Body = srv.URL, "text/xml; charset=utf-8", `<sms to="${to}"><text>${text}</text></sms>`
		})
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		var body struct {
			To   string `xml:"to,attr"`
			Text string `xml:"text"`
		}
		if err := xml.Unmarshal([]byte(last().body), &body); err != nil || body.To != "+821012345678" || body.Text != plain {
			t.Errorf("%v: %+v in %s", err, body, last().body)
		}
	})
	t.Run("get", func(t *testing.T) {
		s := gateway(t, func(c *config.SMS) {
			c.URL, c.Method, c.Body = srv.URL+"/send?to=${to}&text=${text}", "GET", ""
		})
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		q, err := url.ParseQuery(last().query)
		if err != nil || last().body != "" {
			t.Fatalf("%v, body %q", err, last().body)
		}
		if d := cmp.Diff(url.Values{"to": {"+821012345678"}, "text": {plain}}, q); d != "" {
			t.Error(d)
		}
	})
	t.Run("success is not what it says", func(t *testing.T) {
		s := gateway(t, func(c *config.SMS) { c.URL, c.Success = srv.URL, `"resultCode":0` })
		if err := s.Send(t.Context(), m); err == nil || Permanent(err) {
			t.Errorf("%v, want an error that may pass", err)
		}
	})
	t.Run("numbers", func(t *testing.T) {
		s := gateway(t, func(c *config.SMS) { c.URL = srv.URL })
		before := len(*got)
		for _, to := range []string{"", "010-1234-5678\r\nX: y", "0101234567890123456", "kim", "010;1", "１２３４", "+", "12"} {
			bad := m
			bad.To = to
			if err := s.Send(t.Context(), bad); !Permanent(err) {
				t.Errorf("%q: %v, want a permanent refusal", to, err)
			}
		}
		if len(*got) != before {
			t.Error("some were sent")
		}
	})
	t.Run("private gateway", func(t *testing.T) {
		s := gateway(t, func(c *config.SMS) { c.URL, c.Allow = srv.URL, nil })
		before := len(*got)
		if err := s.Send(t.Context(), m); !Permanent(err) || len(*got) != before {
			t.Errorf("%v, %d requests", err, len(*got)-before)
		}
	})
	t.Run("secret with a line break", func(t *testing.T) {
		s := gateway(t, func(c *config.SMS) {
			c.URL, c.Secret, c.Headers = srv.URL, config.Given("a\r\nX-Evil: 1"), map[string]string{"X-Key": "${secret}"}
		})
		if err := s.Send(t.Context(), m); !Permanent(err) {
			t.Errorf("%v, want a permanent refusal", err)
		}
	})
}

func TestSMSConfiguration(t *testing.T) {
	for name, change := range map[string]func(*config.SMS){
		"placeholder": func(c *config.SMS) { c.Body = "${too} ${text}" },
		"open":        func(c *config.SMS) { c.Body = "${to" },
		"in header":   func(c *config.SMS) { c.Headers = map[string]string{"A": "${b}"} },
		"type":        func(c *config.SMS) { c.ContentType = "application/cbor" },
		"no type":     func(c *config.SMS) { c.ContentType = "" },
		"allow":       func(c *config.SMS) { c.Allow = []string{"10.0.0.1"} },
	} {
		c := config.DefaultSMS()
		c.URL = "https://sms.example.kr"
		change(&c)
		if _, err := NewSMS(c); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}

// Whatever the URL, no address that the guard forbids is let through by its text.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"https://example.com/", "http://127.0.0.1", "http://[::ffff:127.0.0.1]:80/", "http://0x7f.1/", "http://a@b/", "http://[fe80::1%25eth0]/"} {
		f.Add(s)
	}
	g, err := newGuard(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := g.url(raw)
		if err != nil {
			return
		}
		if u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("%q was let through", raw)
		}
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && (ip.Unmap().IsPrivate() || ip.Unmap().IsLoopback() || ip.Unmap().IsLinkLocalUnicast()) {
			t.Errorf("%q was let through", raw)
		}
	})
}
