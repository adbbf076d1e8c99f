// Package config reads the one file that a node runs by, and makes the first ones.
//
// It takes a YAML file and gives [Config] to `bongsu serve`; [Init] gives
// `bongsu init` a folder for each site with certificates, accounts and keys.
//
// The front door is [Load], or [Parse] where there is no file; [DefaultConfig] with
// [Config.Validate] and [Describe]; [Init]; and [Accounts] for who may come in.
//
// It never guesses: a field that it does not know, a bad unit or a secret that is
// missing is an error with its line. It never prints a secret ([Secret]), never
// invents a default password and never overwrites what is there.
//
// It keeps nothing in the store. The files are written once by init and belong to
// whoever runs the node; accounts.yaml and bongsu.yaml have version 1.
//
// Init writes into a folder beside DIR and renames it at the end, so a crash leaves
// either nothing or all of it.
//
// To try it: bongsu init --sites north,south --witness hill /tmp/try && bongsu config describe
package config
