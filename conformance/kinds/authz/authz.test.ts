import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { authzFlaws } from './flaws.fixture.js';
import { HealthyPolicy } from './healthy.fixture.js';
import { authzSuite } from './suite.js';

suiteTests({
  suite: authzSuite,
  healthy: () => new HealthyPolicy(),
  flaws: authzFlaws,
  left: () => [],
});
