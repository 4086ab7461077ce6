"""Converters: native data set folders -> mmdet3d info files."""
