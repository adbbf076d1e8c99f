// Package notify brings words to people outside: by mail, webhook, Slack and SMS.
//
// It takes a [Message] from whoever decided that it is to be sent (duty for the crew,
// the outbox of the public side for subscribers) and hands it to a mail server or
// posts it to an address.
//
// The front door is [Sender], made by [NewSMTP], [NewWebhook], [NewSlack] and
// [NewSMS]. [Permanent] tells an error that no second try will mend from one that may
// pass. [CheckURL] and [CheckAddress] say early what Send would refuse. [Verify] is
// for those who receive our webhooks.
//
// It never decides who is told what, never tries twice by itself and remembers
// nothing. It never connects to an address inside our own networks, whatever name leads
// there, unless the configuration allows it; never follows a redirect; and
// never lets text become a header.
//
// It keeps nothing but open connections to the mail server.
//
// A crash or a lost answer leaves it unknown whether a message went out. Callers send
// it again with the same [Message.ID], which is the Message-ID of a mail and the
// idempotency key of a call.
//
// To try it: bongsu duty test --config bongsu.yaml
package notify
