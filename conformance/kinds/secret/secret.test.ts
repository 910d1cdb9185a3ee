import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { secretFlaws } from './flaws.fixture.js';
import { HealthySecrets } from './healthy.fixture.js';
import { secretSuite } from './suite.js';

suiteTests({
  suite: secretSuite,
  healthy: () => new HealthySecrets(),
  flaws: secretFlaws,
  options: { secret: 'password' },
  left: () => [],
});
