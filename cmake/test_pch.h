// The same for their tests, with the test libraries.
#pragma once
#include "arrow_pch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
