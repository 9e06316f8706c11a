"""Any two tables, compared column by column."""
