"""What commands of recorded traffic share: tables and pictures."""
