"""What a board sends to the Hub."""
