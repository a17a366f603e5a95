# SPDX-License-Identifier: Apache-2.0
"""A referee that never blows the whistle would make every chaos test pass: it must agree with the definition, pair by pair."""
import itertools
import random
import unittest

from referee import Attestation, Block, is_slashable, slashable_pairs


class Referee(unittest.TestCase):
    def test_knows_each_offence(self):
        vote = Attestation("k", 2, 5, "a")
        for other in [Attestation("k", 2, 5, "b"), Attestation("k", 1, 6, "b"), Attestation("k", 3, 4, "b")]:
            self.assertEqual(len(slashable_pairs([vote, other])), 1, other)
        self.assertEqual(len(slashable_pairs([Block("k", 7, "a"), Block("k", 7, "b")])), 1)

    def test_lets_honest_signers_go(self):
        honest = [Attestation("k", 1, 2, "a"), Attestation("k", 1, 2, "a"), Attestation("k", 1, 3, "b"), Attestation("other", 1, 3, "c"),
                  Block("k", 1, "d"), Block("k", 2, "e"), Block("other", 2, "f")]
        self.assertEqual(slashable_pairs(honest), [])

    def test_agrees_with_the_definition(self):
        generator = random.Random(1)
        guilty = 0
        for _ in range(3000):
            votes = set()
            for _ in range(generator.randint(2, 6)):
                source = generator.randint(0, 8)
                target = source + generator.randint(0, 4)
                votes.add(Attestation("k", source, target, generator.choice("ab")))
            by_definition = any(is_slashable(*pair) for pair in itertools.combinations(votes, 2))
            found = slashable_pairs(votes)
            self.assertEqual(bool(found), by_definition, votes)
            self.assertTrue(all(is_slashable(*pair) for pair in found), found)
            guilty += by_definition
        self.assertGreater(guilty, 500)
        self.assertLess(guilty, 2900)


if __name__ == "__main__":
    unittest.main()
