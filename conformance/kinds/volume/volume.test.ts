import { join } from 'node:path';
import { implement } from '@cleat/protocol/extension';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { expect } from 'vitest';
import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { TestPlugin } from '../../testing/test-plugin.fixture.js';
import { forgetFlaws, protocolFlaws } from '../protocol/flaws.fixture.js';
import { forgetVolumeFlaws, volumeFlaws } from './flaws.fixture.js';
import { HealthyVolumes } from './healthy.fixture.js';
import { volumeSuite } from './suite.js';

suiteTests<HealthyVolumes>(volumeSuite, {
  plugin: (directory, flaw) =>
    new TestPlugin(
      join(directory, 'p.sock'),
      () => new HealthyVolumes(directory),
      (handlers) => implement(volumeKind, handlers),
      flaw,
    ),
  flaws: [...protocolFlaws, ...volumeFlaws],
  forget() {
    forgetFlaws();
    forgetVolumeFlaws();
  },
  empty: (directory) => expect(new HealthyVolumes(directory).state).toEqual({}),
});
