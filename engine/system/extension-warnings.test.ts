import type { ExtensionStatus } from '@cleat/extensions/service';
import { expect, test } from 'vitest';
import { extensionWarnings } from './extension-warnings.js';

const well: ExtensionStatus = {
  name: 'p',
  entry: undefined,
  kinds: ['VolumeDriver'],
  carrier: 'socket',
  origin: '/plugins/p.sock',
  state: 'active',
  reason: '',
  since: new Date(),
  health: 'healthy',
  lastError: undefined,
  underWay: 0,
  retries: 0,
  methods: [],
  deadlines: {},
};

test.each<[Partial<ExtensionStatus>, string[]]>([
  [{}, []],
  [{ health: 'failing' }, []],
  [
    { state: 'unreachable', reason: 'its socket\nis gone' },
    ['WARNING: Extension p (VolumeDriver) is unreachable: its socket is gone'],
  ],
  [
    { state: 'unreachable', health: 'suspended', reason: 'late' },
    ['WARNING: Extension p (VolumeDriver) is suspended because it hangs: late'],
  ],
  [
    { state: 'activating', reason: 'nobody listens', waitsUntil: new Date() },
    ['WARNING: Extension p (VolumeDriver) does not answer yet and is waited for: nobody listens'],
  ],
  [{ state: 'missing' }, ['WARNING: Extension p (VolumeDriver) is missing, and a container or client waits for it']],
  [{ state: 'unreachable', reason: 'nobody listens', kinds: [] }, []],
  [{ state: 'disabled', reason: 'left out by the configuration' }, []],
])('%j', (changed, warnings) => {
  expect(extensionWarnings([well, { ...well, ...changed }])).toEqual(warnings);
});
