// Every number that both languages know, by name. src/layout/constants.ts and src/engine/status.ts have the same;
// binding.ts refuses a binary that differs.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "format/format.h"

namespace sealog {

struct LayoutNumber {
  const char* name;
  double value;
};

#define SEALOG_N(name) \
  { #name, static_cast < double>(name) }
#define SEALOG_SEGMENT(name) \
  { "SegmentType." #name, static_cast<double>(SegmentType::name) }
#define SEALOG_STATUS(name) \
  { "Status." #name, static_cast<double>(Status::name) }

inline constexpr LayoutNumber kLayoutNumbers[] = {
    SEALOG_N(kFormatVersion),
    SEALOG_N(kLineBytes),
    SEALOG_N(kSlotAlignBytes),
    {"kSuperblockOffset.0", static_cast<double>(kSuperblockOffset[0])},
    {"kSuperblockOffset.1", static_cast<double>(kSuperblockOffset[1])},
    SEALOG_N(kSuperblockBytes),
    {"kCheckpointSlotOffset.0", static_cast<double>(kCheckpointSlotOffset[0])},
    {"kCheckpointSlotOffset.1", static_cast<double>(kCheckpointSlotOffset[1])},
    SEALOG_N(kCheckpointSlotBytes),
    {"kSealRecordOffset.0", static_cast<double>(kSealRecordOffset[0])},
    {"kSealRecordOffset.1", static_cast<double>(kSealRecordOffset[1])},
    SEALOG_N(kSealRecordBytes),
    SEALOG_N(kSegmentTableOffset),
    SEALOG_N(kSegmentEntryBytes),
    SEALOG_N(kSegmentHalfBytes),
    SEALOG_N(kSegmentBytesDefault),
    SEALOG_N(kSegmentBytesMin),
    SEALOG_N(kSegmentBytesMax),
    SEALOG_N(kSegmentNone),
    SEALOG_SEGMENT(kFree),
    SEALOG_SEGMENT(kMeta),
    SEALOG_SEGMENT(kLog),
    SEALOG_SEGMENT(kLeaf),
    SEALOG_SEGMENT(kInner),
    SEALOG_N(kTreeCount),
    SEALOG_N(kTreeUser),
    SEALOG_N(kTreeSystem),
    SEALOG_N(kTreeSpaces),
    SEALOG_N(kTreeExpiry),
    SEALOG_N(kSpaceIdBytes),
    SEALOG_N(kExpiryHeadBytes),
    SEALOG_N(kFeatureExpiry),
    SEALOG_N(kFeatureCleaning),
    SEALOG_N(kKeyBytesMax),
    SEALOG_N(kValueBytesMax),
    SEALOG_N(kSlotMagic),
    SEALOG_N(kSealMagic),
    SEALOG_N(kLogSegmentMagic),
    SEALOG_N(kLogFirstFrame),
    SEALOG_N(kRecordPut),
    SEALOG_N(kRecordDel),
    SEALOG_N(kRecordChunk),
    SEALOG_N(kFrameBatch),
    SEALOG_N(kFrameLink),
    SEALOG_N(kWindowFramesMax),
    SEALOG_N(kSessionLsnJump),
    SEALOG_N(kSlotClean),
    SEALOG_N(kHalfBitmapB),
    SEALOG_N(kHalfPending),
    SEALOG_N(kLeafBytes),
    SEALOG_N(kInnerBytes),
    SEALOG_N(kNodeFirstByte),
    SEALOG_N(kNodeRefIndexBits),
    SEALOG_STATUS(kOk),
    SEALOG_STATUS(kNotFound),
    SEALOG_STATUS(kValueOutside),
    SEALOG_STATUS(kKeyNeedsEncoding),
    SEALOG_STATUS(kClosed),
    SEALOG_STATUS(kReadOnly),
    SEALOG_STATUS(kLocked),
    SEALOG_STATUS(kFull),
    SEALOG_STATUS(kKeyTooLarge),
    SEALOG_STATUS(kValueTooLarge),
    SEALOG_STATUS(kPoisoned),
    SEALOG_STATUS(kMedia),
    SEALOG_STATUS(kCorrupt),
    SEALOG_STATUS(kNotAStore),
    SEALOG_STATUS(kVersion),
    SEALOG_STATUS(kTruncated),
    SEALOG_STATUS(kIo),
    SEALOG_STATUS(kNoMemory),
    SEALOG_STATUS(kInvalid),
    SEALOG_STATUS(kAborted),
    SEALOG_STATUS(kExists),
    SEALOG_STATUS(kNotRegular),
    SEALOG_STATUS(kLinked),
    SEALOG_STATUS(kRequire),
    SEALOG_STATUS(kNoSpace),
    SEALOG_STATUS(kPermission),
    SEALOG_STATUS(kUnsupported),
    SEALOG_STATUS(kAbsent),
    SEALOG_STATUS(kConflict),
    SEALOG_STATUS(kOpening),
    SEALOG_STATUS(kForked),
    SEALOG_STATUS(kBeingRead),
    SEALOG_STATUS(kCapacity),
};

#undef SEALOG_N
#undef SEALOG_SEGMENT
#undef SEALOG_STATUS

}  // namespace sealog
