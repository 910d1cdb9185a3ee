import { join } from 'node:path';
import { implement } from '@cleat/protocol/extension';
import { secretKind } from '@cleat/protocol/kinds/secret';
import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { TestPlugin } from '../../testing/test-plugin.fixture.js';
import { forgetSecretFlaws, secretFlaws } from './flaws.fixture.js';
import { HealthySecrets } from './healthy.fixture.js';
import { secretSuite } from './suite.js';

suiteTests<HealthySecrets>(secretSuite, {
  plugin: (directory, flaw) =>
    new TestPlugin(
      join(directory, 'p.sock'),
      () => new HealthySecrets(),
      (handlers) => implement(secretKind, handlers),
      flaw,
    ),
  flaws: secretFlaws,
  forget: forgetSecretFlaws,
  options: { secret: 'password' },
});
