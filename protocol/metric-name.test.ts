import { expect, test } from 'vitest';
import { metricComplaint, metricPrefix } from './metric-name.js';

test.each([
  ['cleat_extension_calls_total', 'counter'],
  ['cleat_log_behind_bytes', 'gauge'],
  ['cleat_extension_call_duration_seconds', 'histogram'],
  ['cleat_log_dropped_bytes_total', 'counter'],
])('%s is right', (name, type) => {
  expect(metricComplaint({ name, type, help: 'What it is' }, 'cleat')).toBeUndefined();
});

test.each([
  ['cleat_Calls_total', 'counter', 'use lower case'],
  ['cleat__calls_total', 'counter', 'use lower case'],
  ['extension_calls_total', 'counter', 'begin with cleat_'],
  ['cleat_calls', 'counter', '_total is for counters'],
  ['cleat_calls_total', 'gauge', '_total is for counters'],
  ['cleat_wait_ms', 'gauge', 'not _ms'],
  ['cleat_wait_milliseconds_total', 'counter', 'not _milliseconds'],
  ['cleat_size_mb', 'gauge', 'not _mb'],
  ['cleat_calls_count', 'gauge', 'not _count'],
  ['cleat_call_duration', 'histogram', 'ends in its unit'],
])('%s as a %s is wrong', (name, type, complaint) => {
  expect(metricComplaint({ name, type, help: 'What it is' }, 'cleat')).toContain(complaint);
});

test('help is needed, and an extension has its own prefix', () => {
  expect(metricComplaint({ name: 'cleat_x', type: 'gauge', help: ' ' }, 'cleat')).toContain('say in its help');
  expect(metricPrefix('log-syslog')).toBe('log_syslog');
});
