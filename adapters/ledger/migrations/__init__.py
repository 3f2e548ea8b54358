"""Migrations of the ledger's schema, in order; run by Ledger.migrate()."""
