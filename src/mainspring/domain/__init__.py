"""The vocabulary, the rules and the ports of Mainspring: standard library only."""
