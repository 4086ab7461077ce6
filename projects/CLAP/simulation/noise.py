"""Deterministic procedural noise and per-purpose random streams."""

from __future__ import annotations

import hashlib

import numpy as np


def digest(*parts: object) -> bytes:
    """MD5 of the parts' text; stable across machines and Python versions."""
    return hashlib.md5('/'.join(str(p) for p in parts).encode()).digest()


def token(*parts: object) -> str:
    """A nuScenes token (32 hexadecimal characters) that depends on ``parts`` alone."""
    return digest('token', *parts).hex()


def stream(*parts: object) -> np.random.Generator:
    """A random stream of its own for ``parts``, so that what one purpose draws never shifts another."""
    return np.random.default_rng(int.from_bytes(digest('stream', *parts), 'little'))


def lattice(i: np.ndarray, j: np.ndarray, k: np.ndarray | int = 0) -> np.ndarray:
    """Hash of integer lattice points to uniform float32 in [0, 1)."""
    with np.errstate(over='ignore'):
        h = (
            np.asarray(i).astype(np.int32).view(np.uint32) * np.uint32(0x9E3779B1)
            ^ np.asarray(j).astype(np.int32).view(np.uint32) * np.uint32(0x85EBCA77)
            ^ np.asarray(k).astype(np.int32).view(np.uint32) * np.uint32(0xC2B2AE3D)
        )
        h ^= h >> np.uint32(15)
        h *= np.uint32(0x2C1B3C6D)
        h ^= h >> np.uint32(13)
    return (h >> np.uint32(8)).astype(np.float32) * np.float32(1 / 16777216)


def value_noise(x: np.ndarray, y: np.ndarray, salt: int = 0) -> np.ndarray:
    """Smooth noise in [0, 1) with features of unit size: bilinear blend of lattice hashes with smoothstep weights."""
    i, j = np.floor(x), np.floor(y)
    u, v = (x - i).astype(np.float32), (y - j).astype(np.float32)
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    i, j = i.astype(np.int32), j.astype(np.int32)
    salt_array = np.int32(salt)
    low = lattice(i, j, salt_array) * (1 - u) + lattice(i + 1, j, salt_array) * u
    high = lattice(i, j + 1, salt_array) * (1 - u) + lattice(i + 1, j + 1, salt_array) * u
    return low * (1 - v) + high * v
