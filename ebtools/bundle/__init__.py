"""Builds the archive that Elastic Beanstalk deploys."""
