// Carries a decision out on the frame: towards the next hop, as an answer back to the sender, or
// aside until the next hop is known. After it the frame has its final verdict.
#pragma once

#include "core/forward/answer_limits.h"
#include "core/forward/icmp_error.h"
#include "core/path/context.h"
#include "core/path/hold_queue.h"
#include "core/path/item.h"
#include "core/path/spill.h"

namespace uvs {

class Rewriter {
 public:
  // `key` is secret, see AnswerLimits.
  Rewriter(PathContext& context, const uvs_hash_key& key) : context_(context), answers_(key) {}

  // Sets verdict, drop_reason and egress_ifindex of `frame`; `item` is its packet and what was
  // decided about it. `may_hold`: an unresolved next hop puts the frame aside; otherwise it counts
  // as failed. Returns the verdict to count: kForward too when the frame was replaced by its
  // fragments in spill() (the frame itself is then not to be sent: kDrop without a reason).
  Verdict carry_out(Frame& frame, const Item& item, bool may_hold);

  bool is_ready() const { return held_.is_ready() && early_fragments_.is_ready() && spill_.is_ready() && answers_.is_ready(); }

  HoldQueue& held() { return held_; }
  HoldQueue& early_fragments() { return early_fragments_; }
  Spill& spill() { return spill_; }

 private:
  Verdict hold_fragment(Frame& frame, const Item& item);
  Verdict send_on(Frame& frame, const Item& item, bool may_hold);
  Verdict send_fragments(Frame& frame, const ParsedPacket& packet, const Egress& egress);
  Verdict answer(Frame& frame, const ParsedPacket& packet, Answer kind, DropReason otherwise,
                 uint32_t mtu = 0);
  void translate(Frame& frame, const ParsedPacket& packet, const Passage& passage);

  PathContext& context_;
  HoldQueue held_{kHopHold};
  HoldQueue early_fragments_{kFragmentHold};
  Spill spill_;
  AnswerLimits answers_;
};

}  // namespace uvs
