# frozen_string_literal: true

require 'rspec/core'

# Prints what scripts/count-tests.awk counts: a line "ok  NAME" or "FAILED  NAME" per example, and why it failed.
class LineFormatter
  RSpec::Core::Formatters.register self, :example_passed, :example_failed, :example_pending, :message, :dump_summary

  def initialize(output)
    @output = output
  end

  def example_passed(notification)
    @output.puts "ok  #{notification.example.full_description}"
  end

  def example_failed(notification)
    @output.puts notification.message_lines.join("\n")
    @output.puts "FAILED  #{notification.example.full_description} (#{notification.example.location})"
  end

  def example_pending(notification)
    @output.puts "SKIPPED: #{notification.example.full_description}"
  end

  # What went wrong outside of examples.
  def message(notification)
    @output.puts notification.message
  end

  def dump_summary(summary)
    @output.puts "FAILED  #{summary.errors_outside_of_examples_count} errors outside of examples" if summary.errors_outside_of_examples_count.positive?
  end
end
