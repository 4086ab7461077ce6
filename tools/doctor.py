#!/usr/bin/env python
"""Is everything in place? Versions, compiled operators, GPU, data, boxes, one step of a configuration.

Each finding is OK, WARN or FAIL with the exact fix. The last line is JSON where
the output is no terminal, or with --json. Exit code 1 if there is a FAIL.
Without CONFIG it looks at the installation and at what CLAP_DATA_ROOT holds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', help='configuration whose data and first step are checked too')
    parser.add_argument('--no-step', action='store_true', help='leave the one-step run out')
    parser.add_argument(
        '--pictures',
        metavar='DIR',
        help='draw the LiDAR points on the images of one frame of each info file of the configuration, into DIR',
    )
    parser.add_argument('--json', action='store_true', help='JSON as the last line on a terminal too')
    parser.add_argument('--table', action='store_true', help='print the tables of supported versions and stop')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='overrides of the configuration'
    )
    return parser.parse_args(argv)


def sections(args: argparse.Namespace):
    """Lists of findings, one by one as they are ready."""
    from projects.CLAP.doctor import BAD, GOOD, Finding, hardware, versions
    from projects.CLAP.doctor.findings import guarded

    rows = versions.check_versions()
    yield rows
    missing = {finding.title for finding in rows if finding.level == BAD}
    if 'torch' not in missing:
        yield guarded('gpu', versions.SETUP, hardware.check_gpu)
    yield hardware.check_machine()
    if 'mmcv' not in missing:
        yield guarded('mmcv ops', versions.SETUP, hardware.check_mmcv_ops)
    if 'spconv' not in missing:
        yield guarded('spconv', versions.SETUP, hardware.check_spconv)
    yield hardware.check_embree()
    if {'torch', 'mmcv', 'mmdet', 'mmdet3d', 'mmengine'} & missing:
        return  # nothing below can work
    from projects.CLAP.doctor import data, one_step

    if not args.config:
        yield guarded('data root', 'look at the message; docs/datasets has a page per data set', data.check_root)
        return
    from projects.CLAP.clap.engine.config.load import load_config

    try:
        cfg = load_config(args.config, args.cfg_options)
    except (ValueError, OSError) as error:
        yield [Finding(BAD, 'config', str(error), 'correct the name; configurations are in projects/CLAP/configs')]
        return
    yield [Finding(GOOD, 'config', f'{args.config}: every key is read by something')]
    found = guarded(
        'data',
        'docs/datasets has a page per data set; its converter makes the info files again',
        data.check_config_data,
        cfg,
        args.pictures,
    )
    yield found
    yield one_step.check_weights(cfg)
    if not args.no_step and all(finding.level != BAD for finding in found):
        yield guarded(
            'step', f'CLAP_TRACEBACK=1 python tools/train.py {args.config} shows where', one_step.check_step, cfg
        )


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    if args.table:
        from projects.CLAP.doctor.versions import builds_table, markdown_table

        print(f'{builds_table()}\n\n{markdown_table()}')
        return 0
    from projects.CLAP.doctor.findings import lines, summary

    warnings.simplefilter('ignore')
    logging.getLogger('torch.fx._symbolic_trace').addFilter(lambda record: 'is_fx_tracing' not in record.getMessage())
    findings = []
    steps = sections(args)
    while True:
        with contextlib.redirect_stdout(io.StringIO()):  # libraries print while they are imported
            part = next(steps, None)
        if part is None:
            break
        for finding in part:
            findings.append(finding)
            print(lines(finding), flush=True)
    result = summary(findings)
    print(f'\n{result["ok"]} ok, {result["warn"]} to look at, {result["fail"]} to mend')
    if args.json or not sys.stdout.isatty():
        print(json.dumps(result))
    return 1 if result['fail'] else 0


if __name__ == '__main__':
    sys.exit(main())
