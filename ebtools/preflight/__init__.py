"""Checks a package for Elastic Beanstalk before AWS sees it."""
