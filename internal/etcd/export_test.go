package etcd

// Kill stops a member as a crash does: it tells nobody.
func (n *Node) Kill() {
	n.server.Server.HardStop()
	_ = n.Close()
}
