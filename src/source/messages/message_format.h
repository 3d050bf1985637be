// How a message's bytes become changes of a dataset. One for each format.
#pragma once

#include "base/result.h"
#include "source/kafka/kafka_settings.h"
#include "source/messages/message_rows.h"
#include "source/messages/value_reader.h"

#include <memory>
#include <optional>
#include <string_view>

namespace lockstep {

// Value.
struct MessageBytes {
  std::optional<std::string_view> key = {};
  std::optional<std::string_view> value = {};  // none: a tombstone
  bool changes_key = false;                    // of the old key or the new one
};

// Interface; stateful: it keeps memory from message to message.
class MessageFormat {
 public:
  virtual ~MessageFormat() = default;
  // Adds what the message says, where `rows` stand at it; what it cannot say is refused there.
  // false: it empties the table, and must be the first of its batch: nothing was added. An error:
  // what it says cannot be known now.
  virtual Result<bool> read(const MessageBytes& message, MessageRows& rows) = 0;

  // The newest messages are the first part of something, and wait for the message behind them.
  virtual bool holds() const { return false; }

  // It does not come: what is held is said.
  virtual void release(MessageRows& rows) { static_cast<void>(rows); }
};

// `schemas`: of a format that has some.
Result<std::unique_ptr<MessageFormat>> make_message_format(Io& io,
                                                           const KafkaSettings& settings,
                                                           const MessageTarget& target,
                                                           AvroSchemas* schemas);

// Behind make_message_format.
struct MessageReaders {
  std::unique_ptr<ValueReader> value;
  std::unique_ptr<ValueReader> key;
};

std::unique_ptr<MessageFormat> make_row_messages(const KafkaSettings& settings,
                                                 const MessageTarget& target,
                                                 MessageReaders readers);
std::unique_ptr<MessageFormat> make_debezium_messages(const KafkaSettings& settings,
                                                      const MessageTarget& target,
                                                      MessageReaders readers);
std::unique_ptr<MessageFormat> make_binlog_messages(const KafkaSettings& settings,
                                                    const MessageTarget& target);
std::unique_ptr<MessageFormat> make_avro_messages(const KafkaSettings& settings,
                                                  const MessageTarget& target,
                                                  AvroSchemas& schemas);

}  // namespace lockstep
