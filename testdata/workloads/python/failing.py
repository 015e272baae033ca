import unittest


class Failing(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(1 + 1, 3)
