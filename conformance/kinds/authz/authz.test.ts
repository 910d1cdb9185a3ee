import { join } from 'node:path';
import { implement } from '@cleat/protocol/extension';
import { authzKind } from '@cleat/protocol/kinds/authz';
import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { TestPlugin } from '../../testing/test-plugin.fixture.js';
import { authzFlaws, forgetAuthzFlaws } from './flaws.fixture.js';
import { HealthyPolicy } from './healthy.fixture.js';
import { authzSuite } from './suite.js';

suiteTests<HealthyPolicy>(authzSuite, {
  plugin: (directory, flaw) =>
    new TestPlugin(
      join(directory, 'p.sock'),
      () => new HealthyPolicy(),
      (handlers) => implement(authzKind, handlers),
      flaw,
    ),
  flaws: authzFlaws,
  forget: forgetAuthzFlaws,
});
