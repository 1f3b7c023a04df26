"""An endpoint of the S3 protocol on this machine that refuses what S3 refuses, for the tests and the rehearsal."""
