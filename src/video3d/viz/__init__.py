"""What a person looks at: geometry written to files that other programs open."""
