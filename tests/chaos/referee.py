# SPDX-License-Identifier: Apache-2.0
"""The referee: takes every signature that ever left and says which pairs of them a beacon chain would slash (phase0 specification,
is_slashable_attestation_data and process_proposer_slashing; EIP-3076). A BLS signature is deterministic, so two different
signatures of one key for one duty are two different messages."""
import collections

Attestation = collections.namedtuple("Attestation", "key source target signature")
Block = collections.namedtuple("Block", "key slot signature")


def is_slashable(one, two):
    """The definition, for a pair of the same kind and key."""
    if isinstance(one, Block):
        return one.slot == two.slot and one != two
    double = one.target == two.target and one != two
    surround = one.source < two.source and two.target < one.target or two.source < one.source and one.target < two.target
    return double or surround


def slashable_pairs(signatures):
    """
    A slashable pair for every way in which the signatures of one key and kind offend, by sorting: [] exactly if no pair among them is
    slashable. In order of targets, a vote is surrounded by a later one when its source is higher, so it is enough to compare each
    vote with the highest source before it.
    """
    groups = collections.defaultdict(set)
    for signature in signatures:
        groups[type(signature), signature.key].add(signature)
    found = []
    for (kind, _), group in groups.items():
        found += double_blocks(group) if kind is Block else offending_votes(group)
    return found


def double_blocks(group):
    first = {}
    return [(first[block.slot], block) for block in sorted(group) if first.setdefault(block.slot, block) is not block]


def offending_votes(group):
    found = []
    by_target = collections.defaultdict(list)
    for vote in group:
        by_target[vote.target].append(vote)
    highest = None
    for target in sorted(by_target):
        votes = sorted(by_target[target])
        found += [(votes[0], other) for other in votes[1:]]
        lowest = min(votes, key=lambda vote: vote.source)
        if highest and lowest.source < highest.source:
            found.append((highest, lowest))
        highest = max([highest, *votes] if highest else votes, key=lambda vote: vote.source)
    return found
